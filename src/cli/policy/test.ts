import { Command, InvalidArgumentError } from 'commander';
import type { Subject } from '../../conformance/check.js';
import type { Report } from '../../conformance/run.js';
import { loadPolicy } from '../../policy/load.js';
import { parseOptions } from '../../policy/policy.js';
import { SandboxError } from '../../sandbox/errors.js';
import { EXIT, UserError } from '../errors.js';
import { userError } from '../sandbox.js';

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
    .option('--seed <n>', 'of the random workloads', wholeNumber, 1)
    .option('--json', 'print one JSON line for each check')
    .option('--policy-option <key=value>', 'an option of the policy; may be given again', collect)
    .action(async (name: string, flags: TestFlags) => {
      process.exitCode = await test(name, flags);
    });
}

async function test(name: string, flags: TestFlags): Promise<number> {
  const subject = await subjectOf(name, flags);
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

async function subjectOf(name: string, { seed, policyOption }: TestFlags): Promise<Subject> {
  const policy = await loadPolicy(name);
  const options = policyOption === undefined ? undefined : optionsOf(policyOption);
  try {
    parseOptions(policy, options);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(message, EXIT.config, { cause });
  }
  return { policy, seed, ...(options === undefined ? {} : { options }) };
}

/** optionsOf reads `key=value`s: numbers and truth values as such, anything else as text. */
function optionsOf(given: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    given.map((text) => {
      const [, key, value] = /^([A-Za-z][\w-]*)=(.*)$/s.exec(text) ?? [];
      if (key === undefined || value === undefined) {
        throw new UserError(`--policy-option: expected key=value, found "${text}"`, EXIT.usage);
      }
      const isPlain = /^(?:true|false|-?\d+(?:\.\d+)?)$/.test(value);
      return [key, isPlain ? (JSON.parse(value) as unknown) : value];
    }),
  );
}

const SIGN = { passed: 'ok  ', failed: 'FAIL', 'not applicable': '-   ' } as const;

function printLine({ outcome, name, claim, detail, seconds }: Report): void {
  process.stdout.write(`${SIGN[outcome]} ${name}: ${claim} (${seconds.toFixed(1)} s)\n       ${detail}\n`);
}

function printJson(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number below 1000000000');
  return Number(text);
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
