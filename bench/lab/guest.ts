/** Benchmarks that measure inside a machine: a guest script prints a line of JSON for each measurement. */
import { UserError } from '../../src/cli/errors.js';
import { sandboxAvailable } from '../../src/sandbox/available.js';
import { runInSandbox, type SandboxOptions } from '../../src/sandbox/run.js';

/** requireSandbox throws a UserError that says why there is no machine to measure in. */
export function requireSandbox(kernel?: string): void {
  const available = sandboxAvailable(kernel);
  if (!available.ok) throw new UserError(available.reason);
}

/**
 * measureInGuest boots a deterministic machine and resolves to what its command measured.
 *
 * @throws UserError with the end of what the machine said, when the command failed
 */
export async function measureInGuest<Measured>(
  options: Omit<SandboxOptions, 'accel' | 'stderr'>,
): Promise<Measured[]> {
  const { exitCode, output, stdout } = await runInSandbox({
    ...options,
    accel: 'deterministic',
    stderr: process.stderr,
  });
  if (exitCode !== 0) throw new UserError(`the guest ended with ${exitCode}:\n${output.slice(-2000)}`);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Measured);
}
