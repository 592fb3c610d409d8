/** The numbers of a run as text: one line per domain while it runs, and a summary at its end. */
import type { DomainPlan } from '../domain/plan.js';
import type { FaultCounts } from './faults.js';
import { quantileNs } from './histogram.js';
import type { CounterName, DomainSnapshot, Snapshot } from './snapshot.js';

/** Report is one moment's numbers with what the memory does not know. */
export interface Report {
  readonly seconds: number;
  readonly snapshot: Snapshot;
  readonly faults: readonly FaultCounts[];
}

/** Decisions that were refused or corrected, in the order of the kernel side's enum nl_counter. */
const ODD: readonly CounterName[] = [
  'stale',
  'dead_slot',
  'gone',
  'bad_cpu',
  'affinity',
  'slice_clamped',
  'key_clamped',
];
/** In-kernel ways a user task may go instead of its worker's. */
const KERNEL_WAYS: readonly CounterName[] = [
  'resumed',
  'bound',
  'exiting',
  'no_slot',
  'absent',
  'fallback',
  'ring_full',
  'rescued',
];

type Cell = string | number;

/** durationText gives nanoseconds in a unit a person would choose. */
export function durationText(ns: number | undefined): string {
  if (ns === undefined) return '-';
  if (ns < 1e3) return `${Math.round(ns)}ns`;
  if (ns < 1e6) return `${digits(ns / 1e3)}us`;
  if (ns < 1e9) return `${digits(ns / 1e6)}ms`;
  return `${digits(ns / 1e9)}s`;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** percentText gives a share of a whole; "-" of nothing. */
export function percentText(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)}%`;
}

/** alignTable lays rows out in columns, the first to the left and the others to the right. */
export function alignTable(rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(String));
  const widths = (texts[0] ?? []).map((_, column) =>
    Math.max(...texts.map((row) => row[column]?.length ?? 0)),
  );
  return texts
    .map((row) =>
      row
        .map((text, column) =>
          column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const sum = (domain: DomainSnapshot, names: readonly CounterName[]): number =>
  names.reduce((total, name) => total + domain.counters[name], 0);

/** waysShare tells how user tasks got their CPU: idle, standing order, asked. Shares of these three. */
export function waysOf({ counters }: DomainSnapshot): {
  idle: number;
  standing: number;
  asked: number;
  all: number;
} {
  const { idle, standing, asked } = counters;
  return { idle, standing, asked, all: idle + standing + asked };
}

/**
 * movesByDistance counts what came to each domain from others by how far they are: a map from distance to one count for
 * each domain, nearest first.
 */
export function movesByDistance(
  plan: DomainPlan,
  snapshot: Snapshot,
): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const { id, distances } of plan.domains) {
    distances.forEach((distance, from) => {
      if (from === id) return;
      const counts = found.get(distance) ?? plan.domains.map(() => 0);
      counts[id] = (counts[id] ?? 0) + (snapshot.domains[id]?.movedFrom[from] ?? 0);
      found.set(distance, counts);
    });
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** liveTable is the table that `--stats` prints: rates since the report before, queue waits since attach. */
export function liveTable(plan: DomainPlan, now: Report, before: Report): string {
  const seconds = Math.max(now.seconds - before.seconds, 0.001);
  const header = [
    'domain',
    'state',
    'idle/s',
    'standing/s',
    'asked/s',
    'decided/s',
    'kernel/s',
    'odd/s',
    'wait p50',
    'p99',
    'faults',
  ];
  const rows = now.snapshot.domains.map((domain, index): Cell[] => {
    const old = before.snapshot.domains[index] ?? domain;
    const rate = (names: readonly CounterName[]): Cell =>
      Math.round((sum(domain, names) - sum(old, names)) / seconds);
    const { minor, major } = now.faults[index] ?? { minor: 0, major: 0 };
    return [
      plan.domains[index]?.name ?? index,
      domain.state,
      rate(['idle']),
      rate(['standing']),
      rate(['asked']),
      rate(['decided']),
      rate(KERNEL_WAYS),
      rate(ODD),
      durationText(quantileNs(domain.hists.wait, 0.5)),
      durationText(quantileNs(domain.hists.wait, 0.99)),
      minor + major,
    ];
  });
  const moves = now.snapshot.domains.flatMap(({ movedFrom }) => movedFrom).reduce((a, b) => a + b, 0);
  const { slotsUsed } = now.snapshot;
  return `${now.seconds.toFixed(1)} s, ${slotsUsed} tasks known, ${moves} moves between domains\n${alignTable([header, ...rows])}\n`;
}

/** summaryTable says what each domain did since attach. */
export function summaryTable(plan: DomainPlan, { seconds, snapshot, faults }: Report): string {
  return `attached for ${seconds.toFixed(1)} s\n${domainTable(plan, snapshot, faults)}\n`;
}

/** domainTable is the table of that: a column for each domain. Without faults it says nothing of any. */
export function domainTable(plan: DomainPlan, snapshot: Snapshot, faults?: readonly FaultCounts[]): string {
  const columns = snapshot.domains.map((domain, index) => {
    const ways = waysOf(domain);
    const { counters, hists, worker } = domain;
    const own = faults?.[index] ?? { minor: 0, major: 0 };
    return [
      plan.domains[index]?.name ?? String(index),
      plan.domains[index]?.cpus.length ?? 0,
      plan.domains[index]?.workerCpu ?? '-',
      counters.decided,
      percentText(ways.idle, ways.all),
      percentText(ways.standing, ways.all),
      percentText(ways.asked, ways.all),
      sum(domain, KERNEL_WAYS),
      counters.refill,
      counters.preemptions,
      counters.extended,
      counters.pulled,
      counters.moved,
      sum(domain, ODD),
      ODD.filter((name) => counters[name] > 0)
        .map((name) => `${name} ${counters[name]}`)
        .join(' ') || '-',
      counters.fallback_enter,
      durationText(quantileNs(hists.wait, 0.5)),
      durationText(quantileNs(hists.wait, 0.99)),
      durationText(quantileNs(hists.wake, 0.5)),
      durationText(quantileNs(hists.wake, 0.99)),
      durationText(quantileNs(hists.ask, 0.5)),
      durationText(quantileNs(hists.ask, 0.99)),
      durationText(quantileNs(hists.worker_wake, 0.5)),
      durationText(quantileNs(hists.worker_wake, 0.99)),
      durationText(quantileNs(hists.worker_run, 0.5)),
      durationText(quantileNs(hists.worker_run, 0.99)),
      counters.worker_runs,
      worker.max_batch,
      `${own.minor}+${own.major}`,
    ];
  });
  const labels = [
    'domain',
    'CPUs',
    "worker's CPU",
    'decisions applied',
    'got CPU: idle',
    'got CPU: standing order',
    'got CPU: asked',
    'scheduled in the kernel',
    'slices refilled',
    'preemptions',
    'slices extended',
    'pulled from other domains',
    'sent here by the balancer',
    'odd decisions',
    '  of these',
    'fallbacks',
    'queue wait p50',
    'queue wait p99',
    'wake-up to run p50',
    'wake-up to run p99',
    'asked to decided p50',
    'asked to decided p99',
    'worker kick to run p50',
    'worker kick to run p99',
    'worker run length p50',
    'worker run length p99',
    'worker runs',
    'largest batch',
    'page faults after attach (minor+major)',
  ];
  const rows = labels.map((label, row): Cell[] => [label, ...columns.map((column) => column[row] ?? '-')]);
  const moves = [...movesByDistance(plan, snapshot)].map(([distance, counts]): Cell[] => [
    `moves from distance ${distance}`,
    ...counts,
  ]);
  if (faults === undefined) rows.pop();
  rows.splice(labels.indexOf('odd decisions'), 0, ...moves);
  return alignTable(rows);
}
