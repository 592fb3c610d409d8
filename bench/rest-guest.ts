/** Inside the sandbox, on a machine with nothing to do: what nodeland uses with this many domains. One JSON line for each. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { underNodeland } from '../src/supervisor/load.js';

/** Until V8 has collected what the start left in the main thread's heap, and compiled what that thread does ten times a second. */
const SETTLE_MS = 120_000;
const SECONDS = 10;

/** RestMeasurement is one attached run's. */
export interface RestMeasurement {
  readonly domains: number;
  /** Resident: all of the process, the memory it shares with the kernel side included. */
  readonly residentMiB: number;
  /** Of one CPU, all of the process's threads together. */
  readonly cpuShare: number;
}

/** Time on a CPU of all threads, in nanoseconds: the first field of schedstat. */
const ranNs = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((tid) => Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, ns) => sum + ns, 0);

async function measure(pid: number): Promise<Omit<RestMeasurement, 'domains'>> {
  await sleep(SETTLE_MS);
  const [startNs, startMs] = [ranNs(pid), performance.now()];
  await sleep(SECONDS * 1000);
  const cpuShare = (ranNs(pid) - startNs) / 1e6 / (performance.now() - startMs);
  const kiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return { residentMiB: kiB / 1024, cpuShare };
}

/** Domains of as many CPUs each. */
function domainsOf(count: number): string {
  const size = availableParallelism() / count;
  return Array.from({ length: count }, (_, d) => `${d * size}-${(d + 1) * size - 1}`).join(';');
}

const [rounds = '1', ...counts] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round++) {
  for (const domains of counts.map(Number)) {
    const measured = await underNodeland(['--domains', domainsOf(domains)], 'ignore', measure);
    process.stdout.write(`${JSON.stringify({ domains, ...measured })}\n`);
    process.stderr.write(`round ${round + 1} of ${rounds}, ${domains} domains\n`);
  }
}
