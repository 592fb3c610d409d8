import { describe, expect, it } from 'vitest';
import { sandboxAvailable } from '../../src/sandbox/available.js';
import { SandboxError } from '../../src/sandbox/errors.js';
import { runInSandbox } from '../../src/sandbox/run.js';

const available = sandboxAvailable();
if (!available.ok && process.env['CI'] === 'true')
  throw new Error(`sandbox tests cannot run: ${available.reason}`);
const title = available.ok ? 'a sandbox machine' : `a sandbox machine (skipped: ${available.reason})`;

describe.skipIf(!available.ok)(title, { timeout: 300_000 }, () => {
  it('boots a sched_ext kernel with the NUMA nodes asked for and reports output and exit code', async () => {
    const script = [
      'cat /sys/kernel/sched_ext/state',
      'cat /sys/devices/system/node/node*/cpulist /sys/devices/system/node/node*/distance',
      'echo "$GREETING" >/dev/stderr',
      'exit 3',
    ].join('; ');
    const result = await runInSandbox({
      command: ['sh', '-c', script],
      cpus: 4,
      nodes: 2,
      env: { GREETING: "it's here" },
    });
    expect(result.stdout).toBe('disabled\n0-1\n2-3\n10 20\n20 10\n');
    expect(result.stderr).toBe("it's here\n");
    expect(result.exitCode).toBe(3);
  });

  it('reports a command killed by a signal as a shell does, without waiting for what it left behind', async () => {
    const result = await runInSandbox({ command: ['sh', '-c', 'sleep 1000 & kill -9 $$'], cpus: 1 });
    expect(result.exitCode).toBe(137);
  });

  it('that does not end in time is ended', async () => {
    const run = runInSandbox({ command: ['sleep', '1000'], cpus: 1, timeoutSeconds: 1 });
    await expect(run).rejects.toThrow(SandboxError);
    await expect(run).rejects.toMatchObject({ reason: 'timeout' });
  });
});
