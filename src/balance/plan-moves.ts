/**
 * What should move: a pure function of what was measured. docs/sharing.md has the reasons.
 *   1. Between nodes, when one is 17 % off the average; then between the domains of each node, at 5 %.
 *   2. The busiest gives first; of those below the average the nearest takes first.
 *   3. A task moves if that evens the two out: its load is at most half of their difference (by capacity), less what
 *      has moved between them already. So the sum of squares of all differences from the average only falls.
 */

/** What a domain carries. Loads are weight (100 is nice 0) times duty, from 0 to 1. */
export interface DomainLoad {
  readonly id: number;
  readonly node: number;
  /** In CPUs of the fastest kind. */
  readonly capacity: number;
  readonly load: number;
  /** How many tasks want to run at one time, on average. */
  readonly duty: number;
  /** To each domain, by its number: 10 is local. */
  readonly distances: readonly number[];
}

/** A task that may be moved. */
export interface TaskLoad {
  readonly slot: number;
  readonly domain: number;
  readonly load: number;
  readonly duty: number;
  /** Bit d: it may run in domain d; domains 0 to 31, and 32 to 63. */
  readonly allowedLow: number;
  readonly allowedHigh: number;
  /** The node its memory is to be on, or -1. */
  readonly node: number;
}

export interface Move {
  readonly slot: number;
  readonly from: number;
  readonly to: number;
}

/** How far from the average counts, as a share of it. */
export const BETWEEN_NODES = 0.17;
export const WITHIN_NODE = 0.05;
/** Where fewer tasks than this share of its CPUs want to run, hardly any waits: nothing moves away for evenness alone. */
const BUSY_SHARE = 0.75;

/** A node, or one domain: what is evened out with others of its kind. */
interface Group {
  readonly domains: readonly MutableDomain[];
  readonly capacity: number;
  load: number;
  duty: number;
}

type MutableDomain = { -readonly [Key in keyof DomainLoad]: DomainLoad[Key] };

/** mayRunIn tells whether a task may run in a domain. */
export function mayRunIn({ allowedLow, allowedHigh }: TaskLoad, domain: number): boolean {
  return (((domain < 32 ? allowedLow : allowedHigh) >>> (domain & 31)) & 1) === 1;
}

/**
 * planMoves says which tasks should go where. O(domains^2 + tasks log tasks).
 *
 * @param tasks - those that may move: not bound to a CPU, not moved a moment ago
 */
export function planMoves(domains: readonly DomainLoad[], tasks: readonly TaskLoad[]): Move[] {
  const own = domains.filter(({ capacity }) => capacity > 0).map((domain) => ({ ...domain }));
  const byNode = groupBy(own, ({ node }) => node);
  const plan = new Plan(tasks);
  plan.even([...byNode.values()].map(groupOf), BETWEEN_NODES);
  for (const members of byNode.values()) {
    plan.even(
      members.map((domain) => groupOf([domain])),
      WITHIN_NODE,
    );
  }
  return plan.moves;
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => number): Map<number, Item[]> {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const members = groups.get(keyOf(item));
    if (members === undefined) groups.set(keyOf(item), [item]);
    else members.push(item);
  }
  return groups;
}

function groupOf(domains: readonly MutableDomain[]): Group {
  const sum = (key: 'capacity' | 'load' | 'duty'): number =>
    domains.reduce((total, domain) => total + domain[key], 0);
  return { domains, capacity: sum('capacity'), load: sum('load'), duty: sum('duty') };
}

const relative = ({ load, capacity }: Group | MutableDomain): number => load / capacity;

/** What would make both equal: half the difference, for two of one size. */
const half = (from: Group, to: Group): number =>
  (from.load * to.capacity - to.load * from.capacity) / (from.capacity + to.capacity);

class Plan {
  readonly moves: Move[] = [];
  private readonly tasksOf: ReadonlyMap<number, readonly TaskLoad[]>;
  /** A task moves once. */
  private readonly moved = new Set<TaskLoad>();

  constructor(tasks: readonly TaskLoad[]) {
    this.tasksOf = groupBy(tasks, ({ domain }) => domain);
  }

  even(groups: readonly Group[], threshold: number): void {
    if (groups.length < 2) return;
    const average =
      groups.reduce((sum, { load }) => sum + load, 0) /
      groups.reduce((sum, { capacity }) => sum + capacity, 0);
    const far = threshold * average;
    for (const from of groups.toSorted((a, b) => relative(b) - relative(a))) {
      if (relative(from) <= average || from.duty < BUSY_SHARE * from.capacity) continue;
      for (const to of receivers(groups, from, average)) {
        const isBelow = relative(to) < average;
        const isOff =
          relative(from) - average > far ||
          (isBelow ? average - relative(to) > far : relative(from) - relative(to) > far);
        // Tasks that may run in few places even these out though both are above the average.
        const isWorth = isBelow || (relative(from) - average > far && relative(from) - relative(to) > far);
        if (isOff && isWorth) this.moveSome(from, to, average);
      }
    }
  }

  private moveSome(from: Group, to: Group, average: number): void {
    const startsBelow = relative(to) < average;
    for (const task of this.candidates(from, to)) {
      if (relative(from) <= average || (startsBelow && relative(to) >= average)) return;
      if (task.load > half(from, to)) continue;
      const target = to.domains
        .filter(({ id }) => mayRunIn(task, id))
        .reduce<MutableDomain | undefined>(
          (best, domain) => (best !== undefined && relative(best) <= relative(domain) ? best : domain),
          undefined,
        );
      if (target !== undefined) this.move(task, from, to, target);
    }
  }

  /** Those whose memory is to be where they would go first, those whose memory is to be here last; of each the heaviest. */
  private candidates(from: Group, to: Group): TaskLoad[] {
    const node = (group: Group): number => group.domains[0]?.node ?? -1;
    const [here, there] = [node(from), node(to)];
    const rank = (task: TaskLoad): number =>
      here === there || task.node < 0 ? 1 : task.node === there ? 0 : task.node === here ? 2 : 1;
    return from.domains
      .flatMap(({ id }) => this.tasksOf.get(id) ?? [])
      .filter((task) => task.load > 0 && !this.moved.has(task))
      .sort((a, b) => rank(a) - rank(b) || b.load - a.load);
  }

  private move(task: TaskLoad, from: Group, to: Group, target: MutableDomain): void {
    const source = from.domains.find(({ id }) => id === task.domain);
    for (const place of [from, source]) {
      if (place === undefined) continue;
      place.load -= task.load;
      place.duty -= task.duty;
    }
    for (const place of [to, target]) {
      place.load += task.load;
      place.duty += task.duty;
    }
    this.moves.push({ slot: task.slot, from: task.domain, to: target.id });
    this.moved.add(task);
  }
}

/** Those below the average, then others that carry less; of each the nearest first, and of these the least loaded. */
function receivers(groups: readonly Group[], from: Group, average: number): Group[] {
  const isAbove = (group: Group): number => (relative(group) < average ? 0 : 1);
  return groups
    .filter((group) => group !== from && relative(group) < relative(from))
    .sort(
      (a, b) => isAbove(a) - isAbove(b) || distance(from, a) - distance(from, b) || relative(a) - relative(b),
    );
}

function distance(from: Group, to: Group): number {
  const [first] = to.domains;
  return (first === undefined ? undefined : from.domains[0]?.distances[first.id]) ?? 0;
}
