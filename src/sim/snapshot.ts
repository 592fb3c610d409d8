/** What the shared memory says of each domain at a simulation's end, for its result. */
import type { DomainPlan } from '../domain/plan.js';
import type { SimKernel } from '../kernel/sim.js';
import { type Histogram, quantileNs, total } from '../observe/histogram.js';
import type { Snapshot } from '../observe/snapshot.js';
import { HIST_NAMES } from '../shm/layout.generated.js';
import type { ChosenPolicy } from '../supervisor/policies.js';
import type { DomainResult } from './result.js';

/** domainResults gives every domain's part of the result. */
export function domainResults(
  kernel: SimKernel,
  plan: DomainPlan,
  snapshot: Snapshot,
  policies: readonly ChosenPolicy[],
): DomainResult[] {
  const simulatedNs = kernel.nowNs - kernel.countedFromNs;
  const shareOf = (ns: number, of: number): number => (simulatedNs === 0 ? 0 : ns / (simulatedNs * of));
  return snapshot.domains.map(({ domain, state, counters, worker, hists, movedFrom }) => {
    const { name, cpus, workerCpu } = plan.domains[domain];
    const busyNs = kernel.domains[domain].members.reduce((sum, cpu) => sum + cpu.busyNs, 0);
    return {
      name,
      cpus: cpus.length,
      workerCpu,
      policy: policies[domain].definition.name,
      state,
      busyShare: shareOf(busyNs, cpus.length),
      // A batch that is begun counts as a whole.
      workerShare: Math.min(1, shareOf(kernel.timedWorkers[domain].busyNs, 1)),
      counters: { ...counters },
      worker: { ...worker },
      histograms: byName((hist) => histogramResult(hists[hist])),
      movedFrom: [...movedFrom],
    };
  });
}

type HistName = (typeof HIST_NAMES)[number];

function byName<Value>(value: (name: HistName) => Value): Record<HistName, Value> {
  return Object.fromEntries(HIST_NAMES.map((name) => [name, value(name)])) as Record<HistName, Value>;
}

function histogramResult(hist: Histogram): DomainResult['histograms'][HistName] {
  const at = (share: number): number => Math.round(quantileNs(hist, share) ?? 0);
  return { count: total(hist), p50Ns: at(0.5), p99Ns: at(0.99), p999Ns: at(0.999) };
}
