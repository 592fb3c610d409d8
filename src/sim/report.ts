/** A simulation's result as text. */
import { alignTable, domainTable, durationText, percentText } from '../observe/report.js';
import type { SimResult } from './result.js';
import type { Percentiles } from './samples.js';
import type { Simulated } from './simulate.js';

type Cell = string | number;

const times = (all: Percentiles): Cell[] =>
  [all.p50Ns, all.p99Ns, all.p999Ns, all.maxNs].map((ns) => durationText(all.count === 0 ? undefined : ns));

const rate = (perS: number): Cell => (perS === 0 ? '-' : perS < 10 ? perS.toFixed(2) : Math.round(perS));

/** resultText is what `nodeland sim` prints: what the machine came to, each domain, each group of tasks. */
export function resultText({ result, plan, snapshot }: Simulated): string {
  return (
    [headline(result), domainTable(plan, snapshot), groupTable(result), speed(result)].join('\n\n') + '\n'
  );
}

function headline(result: SimResult): string {
  const { machine, policy, workload, seed, simulatedMs, switches, switchesPerS, ended, tasks } = result;
  return [
    `${machine.cpus} CPUs in ${machine.nodes} nodes, domains "${machine.domains}", policy ${policy.name}, workload ${workload}, seed ${seed}`,
    `simulated ${(simulatedMs / 1000).toFixed(3)} s (until ${ended}): ${tasks} tasks, ${switches} task switches (${Math.round(switchesPerS)}/s), ` +
      `CPUs busy ${percentText(result.busyShare, 1)}, workers ${percentText(result.workerShare, 1)}, ${result.decisions} decisions`,
  ].join('\n');
}

function groupTable({ groups, wakeUp, wait, tasks, busyShare }: SimResult): string {
  const header: Cell[] = ['tasks', 'of', 'CPU', 'done', 'done/s'];
  const rows = groups.map(({ name, kind, tasks: count, cpuShare, done, donePerS, ...all }): Cell[] => [
    name,
    count,
    kind,
    percentText(cpuShare, 1),
    done === 0 ? '-' : done,
    rate(donePerS),
    ...times(all.wakeUp),
    ...times(all.wait),
    ...times(all.took),
  ]);
  const whole: Cell[] = [
    'all',
    tasks,
    '',
    percentText(busyShare, 1),
    '',
    '',
    ...times(wakeUp),
    ...times(wait),
  ];
  const titles: Cell[] = ['', ...header, ...title('wake-up'), ...title('wait'), ...title('took')];
  return alignTable([titles, ...rows, [...whole, '', '', '', '']]);
}

const title = (name: string): Cell[] => [`${name} p50`, 'p99', 'p99.9', 'max'];

function speed({ wall, simulatedMs, switches }: SimResult): string {
  const perS = wall.seconds === 0 ? 0 : Math.round(switches / wall.seconds);
  return `wall time ${wall.seconds.toFixed(2)} s for ${(simulatedMs / 1000).toFixed(3)} s, ${perS} task switches a second`;
}

/** SWEEP_HEADER and {@link sweepRow}: one line for each point of a sweep. */
export const SWEEP_HEADER: readonly Cell[] = [
  'sim s',
  'switches/s',
  'busy',
  'workers',
  'idle',
  'standing',
  'asked',
  ...title('wake-up').slice(0, 3),
  ...title('wait').slice(0, 3),
  'done/s',
  'took p50',
  'p99',
];

export function sweepRow(result: SimResult): Cell[] {
  const { simulatedMs, switchesPerS, busyShare, workerShare, domains, wakeUp, wait, groups } = result;
  const sum = (name: 'idle' | 'standing' | 'asked'): number =>
    domains.reduce((total, { counters }) => total + counters[name], 0);
  const all = sum('idle') + sum('standing') + sum('asked');
  const busiest = groups.reduce((a, b) => (b.done > a.done ? b : a));
  return [
    (simulatedMs / 1000).toFixed(3),
    Math.round(switchesPerS),
    percentText(busyShare, 1),
    percentText(workerShare, 1),
    percentText(sum('idle'), all),
    percentText(sum('standing'), all),
    percentText(sum('asked'), all),
    ...times(wakeUp).slice(0, 3),
    ...times(wait).slice(0, 3),
    rate(groups.reduce((total, { donePerS }) => total + donePerS, 0)),
    ...times(busiest.took).slice(0, 2),
  ];
}
