import { resolve } from 'node:path';
import { Command } from 'commander';
import { ask } from '../../control/client.js';
import { defaultSocketPath } from '../../control/path.js';
import { isModulePath } from '../../policy/source.js';
import { collect, parsePolicyOptions } from '../policy-options.js';

interface SetOptions {
  readonly policyOption?: readonly string[];
  readonly socket?: string;
}

/** setCommand changes the policy of domains while they are scheduled. */
export function setCommand(): Command {
  return new Command('set')
    .description('change the policy of a domain of the running scheduler, without letting go of its tasks')
    .argument('<domain>', 'its number or name, or all')
    .argument('<policy>', "a built-in policy's name, or the path of a module")
    .option('--policy-option <key=value>', 'an option of the policy; may be given again', collect)
    .option('--socket <path>', 'of the running scheduler (/run/nodeland.sock)')
    .action(async (domain: string, policy: string, { policyOption, socket }: SetOptions) => {
      const options = policyOption === undefined ? undefined : parsePolicyOptions(policyOption);
      const { changed = [] } = await ask(socket ?? defaultSocketPath(), {
        command: 'policy-set',
        domain,
        policy: isModulePath(policy) ? resolve(policy) : policy,
        ...(options === undefined ? {} : { options }),
      });
      for (const { name, remark } of changed) {
        process.stdout.write(`${name}: ${policy}${remark === undefined ? '' : ` (${remark})`}\n`);
      }
    });
}
