/** The groups of a workload at work. */
import { Random } from './random.js';
import type { SimKernel } from '../kernel/sim.js';
import type { SimBehaviour } from '../kernel/sim-task.js';
import { parseCpuList } from '../topology/cpulist.js';
import { Tally } from './tally.js';
import { startBuild } from './workloads/build.js';
import { startForks } from './workloads/forks.js';
import { startPipelines } from './workloads/pipeline.js';
import { startHogs, startPinned, startSleepers } from './workloads/plain.js';
import { type GroupSpec, PER_CPU } from './workloads/schema.js';
import type { Place, Scene } from './workloads/scene.js';
import { startServers } from './workloads/server.js';

/** Group is one group of a workload. */
export class Group extends Tally {
  constructor(
    kernel: SimKernel,
    index: number,
    name: string,
    private readonly spec: GroupSpec,
    /** The CPUs it may use: never empty. */
    private readonly cpus: readonly number[],
    private readonly domainOfCpu: ArrayLike<number>,
    private readonly seed: number,
  ) {
    super(kernel, index, name, spec.kind);
  }

  start(): void {
    const { spec } = this;
    switch (spec.kind) {
      case 'hogs':
        startHogs(this.scene());
        return;
      case 'sleepers':
        startSleepers(this.scene(), spec);
        return;
      case 'pinned':
        startPinned(this.scene(), spec);
        return;
      case 'forks':
        startForks(this.scene(), spec);
        return;
      case 'pipeline':
        startPipelines(this.scene(), spec);
        return;
      case 'server':
        startServers(this.scene(), spec);
        return;
      case 'build':
        startBuild(this.scene(), spec);
    }
  }

  private scene(): Scene {
    const { kernel, spec, cpus, index } = this;
    const behaviour: Partial<SimBehaviour> = {
      group: index,
      weight: spec.weight,
      ...(spec.cpus === undefined ? {} : { allowedCpus: cpus }),
    };
    return {
      kernel,
      // Each group has its own, so that a change to one does not change the others.
      random: new Random(this.seed + 0x9e3779b9 * (index + 1)),
      cpus,
      count: spec.count ?? Math.max(1, Math.round((spec.perCpu ?? PER_CPU[spec.kind]) * cpus.length)),
      startNs: spec.startMs * 1e6,
      place: (each, count) => this.place(each, count),
      spawn: ({ domain, allowedCpus }, program, { comm, startNs } = {}) => {
        let steps: ReturnType<typeof program> | undefined;
        this.tasks++;
        return kernel.spawn({
          ...behaviour,
          name: comm ?? this.name,
          domain,
          runNs: 0,
          ...(allowedCpus === undefined ? {} : { allowedCpus }),
          ...(startNs === undefined ? {} : { startNs }),
          next: (task) => {
            steps ??= program(task);
            return steps.next().value ?? { kind: 'exit' };
          },
        });
      },
      done: (tookNs) => {
        this.done(tookNs);
      },
    };
  }

  private place(index: number, count: number): Place {
    const { cpus, domainOfCpu } = this;
    const at = count < cpus.length ? Math.floor(((index + 0.5) * cpus.length) / count) : index % cpus.length;
    const cpu = cpus[at];
    return { cpu, domain: domainOfCpu[cpu] };
  }
}

/** groupCpus are the CPUs of the machine that a group may use. */
export function groupCpus({ cpus }: GroupSpec, machine: readonly number[]): readonly number[] {
  if (cpus === undefined) return machine;
  const wanted = new Set<number>(parseCpuList(cpus));
  return machine.filter((cpu) => wanted.has(cpu));
}
