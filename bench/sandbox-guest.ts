/** Inside the sandbox: measures under each scheduler in turn, and prints one JSON line per measurement. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachedName, underScheduler } from './sandbox/attach.js';
import type { Outcome, Plan } from './sandbox/outcome.js';
import { inTurn } from './sandbox/scheduler.js';
import { workloadsOf } from './sandbox/workload.js';

const { rounds, schedulers, workloads: names } = JSON.parse(process.argv[2] ?? '') as Plan;
const workloads = workloadsOf(names);
const cpus = availableParallelism();

/** What a scheduler does once after it is attached, as V8's compilers, is over by then. The same for all. */
const SETTLE_MS = 3000;

function tell(outcome: Outcome): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}

async function measure(scheduler: string, round: number, attached?: string): Promise<void> {
  const of = `round ${round + 1} of ${rounds}, ${scheduler}`;
  if (attached !== undefined) process.stderr.write(`${of}: ${attached} attached\n`);
  await sleep(SETTLE_MS);
  for (const workload of workloads) {
    const figures = await workload.measure(cpus);
    // The kernel detaches a scheduler that fails, and its own takes over: these are not the scheduler's figures.
    const now = attachedName();
    if (now !== attached)
      throw new Error(`${attached ?? 'nobody'} was attached, ${now ?? 'nobody'} is after ${workload.name}`);
    tell({ kind: 'measured', round, scheduler, figures });
    process.stderr.write(`${of}, ${workload.name}: ${JSON.stringify(figures)}\n`);
  }
}

for (const { prepare } of workloads) await prepare?.(cpus);
const failed = new Set<string>();
for (let round = 0; round < rounds; round++) {
  for (const scheduler of inTurn(schedulers, round)) {
    const { kind, name } = scheduler;
    if (failed.has(name)) continue;
    try {
      await underScheduler(scheduler, (attached) => measure(name, round, attached));
    } catch (error) {
      // Without the kernel's own there is nothing to compare with.
      if (kind === 'kernel') throw error;
      failed.add(name);
      const why = error instanceof Error ? error.message : String(error);
      tell({ kind: 'failed', round, scheduler: name, why });
      process.stderr.write(`round ${round + 1} of ${rounds}, ${name} failed: ${why}\n`);
    }
  }
}
