import { Command } from 'commander';
import { ask } from '../../control/client.js';
import { defaultSocketPath } from '../../control/path.js';
import type { DomainReport } from '../../control/protocol.js';
import { BUILTIN_POLICY_NAMES } from '../../policy/builtin-names.js';
import { builtinPolicy } from '../../policy/builtin.js';
import { EXIT, UserError } from '../errors.js';

/** listCommand prints the built-in policies, and what the domains of a running scheduler have. */
export function listCommand(): Command {
  return new Command('list')
    .description('the built-in policies, and what each domain of a running scheduler has')
    .option('--socket <path>', 'of a running scheduler (/run/nodeland.sock)')
    .option('--json', 'print JSON')
    .action(async (options: { readonly socket?: string; readonly json?: true }) => {
      const domains = await running(options.socket);
      const builtin = BUILTIN_POLICY_NAMES.map((name) => ({
        name,
        summary: builtinPolicy(name)?.summary ?? '',
      }));
      const text = options.json
        ? JSON.stringify({ builtin, domains: domains ?? null }, null, 2)
        : table(builtin, domains);
      process.stdout.write(`${text}\n`);
    });
}

/** Undefined when nothing runs, which is an error only where somebody says that it does. */
async function running(socket: string | undefined): Promise<readonly DomainReport[] | undefined> {
  try {
    const { domains } = await ask(socket ?? defaultSocketPath(), { command: 'policy-list' });
    return domains;
  } catch (error) {
    const isAbsent =
      error instanceof UserError &&
      (error.exitCode === EXIT.unavailable || error.exitCode === EXIT.privilege);
    if (socket === undefined && isAbsent) return undefined;
    throw error;
  }
}

function table(
  builtin: readonly { readonly name: string; readonly summary: string }[],
  domains: readonly DomainReport[] | undefined,
): string {
  const width = Math.max(...builtin.map(({ name }) => name.length));
  const lines = builtin.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}`);
  if (domains === undefined) return [...lines, '', 'no scheduler is running'].join('\n');
  const nameWidth = Math.max(...domains.map(({ name }) => name.length));
  return [
    ...lines,
    '',
    ...domains.map((domain) => `${domain.name.padEnd(nameWidth)}  ${describe(domain)}`),
  ].join('\n');
}

function describe({ policy, source, options, running, failed }: DomainReport): string {
  const words = [policy];
  if (source !== policy) words.push(`(${source})`);
  for (const [key, value] of Object.entries(options)) words.push(`${key}=${JSON.stringify(value)}`);
  if (failed !== undefined) words.push(`in the place of ${failed}, which failed too often`);
  if (!running) words.push('(its worker is being started again)');
  return words.join(' ');
}
