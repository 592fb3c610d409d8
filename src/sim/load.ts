/** The tasks of a simulation: a workload's groups, or those of a recording. */
import { EXIT, UserError } from '../cli/errors.js';
import type { DomainPlan } from '../domain/plan.js';
import type { SimKernel } from '../kernel/sim.js';
import type { Recording } from '../record/read.js';
import { timelineOf } from '../record/timeline.js';
import { Group, groupCpus } from './groups.js';
import type { Prepared } from './prepare.js';
import { Replay, type ReplayPlace } from './replay.js';
import type { Load } from './tally.js';

/** loadOf makes them; they begin with `start`. */
export function loadOf(kernel: SimKernel, { work, plan, request }: Prepared): Load {
  const cpus = plan.domains.flatMap((domain) => domain.cpus);
  if (work.kind === 'replay') {
    const tasks = timelineOf(work.recording);
    if (tasks.length === 0)
      throw new UserError(`${request.workload}: no task ran while it was recorded`, EXIT.config);
    return new Replay(kernel, tasks, placeOn(work.recording, plan));
  }
  const groups = Object.entries(work.spec.groups).map(
    ([name, spec], index) =>
      new Group(kernel, index, name, spec, groupCpus(spec, cpus), plan.domainOfCpu, request.seed),
  );
  return {
    tallies: groups,
    start: () => {
      for (const group of groups) group.start();
    },
    isOver: () => kernel.nrLiving === 0,
  };
}

/** On the machine that was recorded CPUs are themselves; on another one they are spread over its CPUs in order. */
function placeOn({ header }: Recording, { domains, domainOfCpu }: DomainPlan): ReplayPlace {
  const cpus = domains.flatMap((domain) => domain.cpus).sort((a, b) => a - b);
  const recorded = header.machine.cpus.map(({ cpu }) => cpu).sort((a, b) => a - b);
  const order = new Map(recorded.map((cpu, index) => [cpu, index]));
  const isSame = recorded.length === cpus.length && cpus.every((cpu) => order.has(cpu));
  return {
    cpuOf: (cpu) => {
      const index = order.get(cpu);
      // It came online later: any will do.
      if (index === undefined) return cpus[cpu % cpus.length];
      return isSame ? cpu : cpus[Math.floor((index * cpus.length) / recorded.length)];
    },
    domainOf: (cpu) => domainOfCpu[cpu],
  };
}
