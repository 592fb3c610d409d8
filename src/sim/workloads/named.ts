/** The workloads that have names. */
import type { WorkloadInput } from './schema.js';

/** DEFAULT_WORKLOAD is simulated when nothing else is said. */
export const DEFAULT_WORKLOAD = 'mixed';

const NAMED = new Map<string, WorkloadInput>([
  ['hogs', { groups: { hog: { kind: 'hogs', perCpu: 2 } } }],
  ['sleepers', { groups: { sleeper: { kind: 'sleepers' } } }],
  ['forks', { groups: { tree: { kind: 'forks' } } }],
  ['pipeline', { groups: { pipe: { kind: 'pipeline' } } }],
  ['server', { groups: { server: { kind: 'server', load: 0.7 } } }],
  ['build', { durationMs: 600_000, groups: { make: { kind: 'build' } } }],
  ['pinned', { groups: { pinned: { kind: 'pinned' }, free: { kind: 'sleepers', perCpu: 1, runUs: 500 } } }],
  [
    DEFAULT_WORKLOAD,
    {
      groups: {
        hog: { kind: 'hogs', perCpu: 0.5 },
        sleeper: { kind: 'sleepers', perCpu: 2 },
        server: { kind: 'server', perCpu: 0.0625, load: 0.2 },
        pipe: { kind: 'pipeline', perCpu: 0.0625, pauseUs: 100 },
        tree: { kind: 'forks', perCpu: 0.0625 },
        pinned: { kind: 'pinned', perCpu: 0.125 },
      },
    },
  ],
]);

/** WORKLOAD_NAMES lists them. */
export const WORKLOAD_NAMES: readonly string[] = [...NAMED.keys()];

/** namedWorkload finds one; undefined when there is none of that name. */
export function namedWorkload(name: string): WorkloadInput | undefined {
  return NAMED.get(name);
}
