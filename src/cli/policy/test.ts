import { Command } from 'commander';
import type { Subject } from '../../conformance/check.js';
import type { Report } from '../../conformance/run.js';
import { PolicyLoader } from '../../policy/load.js';
import { parseOptions } from '../../policy/options.js';
import { SandboxError } from '../../sandbox/errors.js';
import { EXIT, UserError } from '../errors.js';
import { collect, parsePolicyOptions } from '../policy-options.js';
import { userError } from '../sandbox.js';
import { wholeNumber } from '../whole-number.js';

interface TestFlags {
  readonly sandbox?: true;
  readonly properties?: true;
  readonly seed: number;
  readonly json?: true;
  readonly policyOption?: readonly string[];
}

/** testCommand is `nodeland policy test`: what every policy must do, tried on this one. Exit code 0 when all passed. */
export function testCommand(): Command {
  return new Command('test')
    .description('try a policy on what every policy must do: on a simulated kernel, or a real one in QEMU')
    .argument('<policy>', "a built-in policy's name, or the path of a module")
    .option('--sandbox', 'with real tasks on a real kernel in QEMU; takes some minutes')
    .option('--properties', 'with --sandbox: also what a good policy for everything does, but not each must')
    .option('--seed <n>', 'of the random workloads', wholeNumber(0, 999_999_999), 1)
    .option('--json', 'print one JSON line for each check')
    .option('--policy-option <key=value>', 'an option of the policy; may be given again', collect)
    .action(async (name: string, flags: TestFlags) => {
      process.exitCode = await test(name, flags);
    });
}

async function test(name: string, flags: TestFlags): Promise<number> {
  const loader = new PolicyLoader();
  try {
    return await testLoaded(name, await subjectOf(loader, name, flags), flags);
  } finally {
    loader.close();
  }
}

async function testLoaded(name: string, subject: Subject, flags: TestFlags): Promise<number> {
  const print = flags.json === true ? printJson : printLine;
  const reports: Report[] = [];
  const note = (report: Report): void => {
    reports.push(report);
    print(report);
  };
  if (flags.sandbox === true) {
    const { runInGuest } = await import('../../conformance/guest/host.js');
    const options = flags.policyOption ?? [];
    await runInGuest({ policy: name, options, subject, note, properties: flags.properties === true }).catch(
      (error: unknown) => {
        throw error instanceof SandboxError ? userError(error) : error;
      },
    );
  } else {
    const { CONFORMANCE, runCheck } = await import('../../conformance/run.js');
    for (const check of CONFORMANCE) note(runCheck(check, subject));
  }
  const failed = reports.filter(({ outcome }) => outcome === 'failed').length;
  const passed = reports.filter(({ outcome }) => outcome === 'passed').length;
  if (flags.json !== true) {
    const others = reports.length - passed - failed;
    process.stdout.write(
      `${subject.policy.name}: ${passed} passed, ${failed} failed${others > 0 ? `, ${others} not applicable` : ''}\n`,
    );
  }
  return failed === 0 && reports.length > 0 ? EXIT.ok : EXIT.failure;
}

async function subjectOf(
  loader: PolicyLoader,
  name: string,
  { seed, policyOption }: TestFlags,
): Promise<Subject> {
  const { definition: policy } = await loader.load(name);
  const options = policyOption === undefined ? undefined : parsePolicyOptions(policyOption);
  try {
    parseOptions(policy, options);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(message, EXIT.config, { cause });
  }
  return { policy, seed, ...(options === undefined ? {} : { options }) };
}

const SIGN = { passed: 'ok  ', failed: 'FAIL', 'not applicable': '-   ' } as const;

function printLine({ outcome, name, claim, detail, seconds }: Report): void {
  process.stdout.write(`${SIGN[outcome]} ${name}: ${claim} (${seconds.toFixed(1)} s)\n       ${detail}\n`);
}

function printJson(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
