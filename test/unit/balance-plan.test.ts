/** planMoves: what it moves, and what holds for whatever it is given. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type DomainLoad,
  mayRunIn,
  type Move,
  planMoves,
  type TaskLoad,
} from '../../src/balance/plan-moves.js';

/** Four nodes in a ring, as in the sandbox. */
const ring = (a: number, b: number): number => (a === b ? 10 : (a + b) % 2 === 1 ? 20 : 30);

interface Shape {
  readonly node: number;
  readonly capacity: number;
}

const NODES: readonly Shape[] = [0, 1, 2, 3].map((node) => ({ node, capacity: 2 }));

/** Domains of these shapes that carry these tasks and nothing else. */
function domainsWith(tasks: readonly TaskLoad[], shapes: readonly Shape[] = NODES): DomainLoad[] {
  return shapes.map(({ node, capacity }, id) => {
    const own = tasks.filter(({ domain }) => domain === id);
    return {
      id,
      node,
      capacity,
      load: own.reduce((sum, { load }) => sum + load, 0),
      duty: own.reduce((sum, { duty }) => sum + duty, 0),
      distances: shapes.map((other) => ring(node, other.node)),
    };
  });
}

const task = (slot: number, domain: number, more: Partial<TaskLoad> = {}): TaskLoad => ({
  ...{ slot, domain, load: 100, duty: 1, allowedLow: 0xffffffff, allowedHigh: 0xffffffff, node: -1 },
  ...more,
});
/** So many whole tasks in each domain. */
const tasksIn = (...counts: readonly number[]): TaskLoad[] =>
  counts
    .flatMap((count, domain) => Array.from({ length: count }, () => domain))
    .map((domain, slot) => task(slot, domain));

function after(tasks: readonly TaskLoad[], moves: readonly Move[]): TaskLoad[] {
  const to = new Map(moves.map((move) => [move.slot, move.to]));
  return tasks.map((one) => ({ ...one, domain: to.get(one.slot) ?? one.domain }));
}

/** How many tasks each domain has in the end. */
const countsAfter = (tasks: readonly TaskLoad[], shapes = NODES): number[] => {
  const ends = after(tasks, planMoves(domainsWith(tasks, shapes), tasks));
  return shapes.map((_, id) => ends.filter(({ domain }) => domain === id).length);
};

/** Sum of squared differences from the average, by capacity. */
function unevenness(domains: readonly DomainLoad[]): number {
  const total = domains.reduce((sum, { load }) => sum + load, 0);
  const average = total / domains.reduce((sum, { capacity }) => sum + capacity, 0);
  return domains.reduce((sum, { load, capacity }) => sum + capacity * (load / capacity - average) ** 2, 0);
}

describe('a plan between nodes', () => {
  test('spreads what began on one node over all', () => {
    expect(countsAfter(tasksIn(16, 0, 0, 0))).toEqual([4, 4, 4, 4]);
  });

  test('gives a node by how many CPUs it has', () => {
    const shapes = [4, 2, 1, 1].map((capacity, node) => ({ node, capacity }));
    expect(countsAfter(tasksIn(0, 16, 0, 0), shapes)).toEqual([8, 4, 2, 2]);
  });

  test('leaves equal nodes alone, and such as are less than 17 % off the average', () => {
    expect(planMoves(domainsWith(tasksIn(4, 4, 4, 4)), tasksIn(4, 4, 4, 4))).toEqual([]);
    expect(planMoves(domainsWith(tasksIn(7, 6, 6, 6)), tasksIn(7, 6, 6, 6))).toEqual([]);
  });

  test('leaves a node alone whose CPUs are not all wanted', () => {
    const light = tasksIn(8, 0, 0, 0).map((one) => ({ ...one, load: 10, duty: 0.1 }));
    expect(planMoves(domainsWith(light), light)).toEqual([]);
  });

  test('moves to the nearest node that is below the average', () => {
    const tasks = tasksIn(4, 2, 0, 0);
    const moves = planMoves(domainsWith(tasks), tasks);
    // Node 3 is at distance 20 of node 0, node 2 at 30.
    expect(moves[0]).toMatchObject({ from: 0, to: 3 });
  });

  test('evens out two nodes above the average whose tasks may run on these two only', () => {
    const tasks = tasksIn(6, 2, 0, 0).map((one) => ({ ...one, allowedLow: 0b11 }));
    expect(countsAfter(tasks)).toEqual([4, 4, 0, 0]);
  });

  test('prefers tasks whose memory is to be where they go, and those whose memory is to be here last', () => {
    const tasks = tasksIn(6, 0, 4, 4).map((one) => ({
      ...one,
      node: one.slot < 3 ? 0 : one.slot === 5 ? 1 : -1,
    }));
    const moves = planMoves(domainsWith(tasks), tasks);
    expect(moves.map(({ slot }) => slot)).toEqual([5, 3, 4]);
  });

  test('leaves one heavy task where it is', () => {
    const tasks = [task(0, 0, { load: 8876 }), task(1, 0), task(2, 0)];
    const moves = planMoves(domainsWith(tasks), tasks);
    expect(moves.map(({ slot }) => slot).sort()).toEqual([1, 2]);
  });

  test('passes over a node that is offline', () => {
    const shapes = [2, 0, 2, 2].map((capacity, node) => ({ node, capacity }));
    expect(countsAfter(tasksIn(6, 0, 0, 0), shapes)).toEqual([2, 0, 2, 2]);
  });
});

test('a plan within a node evens out its domains from 5 % on', () => {
  const shapes = [0, 0, 1, 1].map((node) => ({ node, capacity: 2 }));
  expect(countsAfter(tasksIn(12, 8, 10, 10), shapes)).toEqual([10, 10, 10, 10]);
});

describe('whatever the loads are', () => {
  const shapes = fc.array(
    fc.record({ node: fc.integer({ min: 0, max: 3 }), capacity: fc.constantFrom(0, 0.5, 1, 2, 8) }),
    { minLength: 1, maxLength: 8 },
  );
  const some = fc.record({
    domain: fc.nat(7),
    duty: fc.double({ min: 0, max: 1, noNaN: true }),
    weight: fc.constantFrom(1, 15, 100, 335, 8876),
    allowed: fc.nat(255),
    node: fc.integer({ min: -1, max: 3 }),
    isFixed: fc.boolean(),
  });
  const machine = fc.tuple(shapes, fc.array(some, { maxLength: 40 })).map(([places, list]) => {
    const tasks = list.map(({ domain, duty, weight, allowed, node }, slot): TaskLoad => ({
      ...{ slot, duty, node, domain: domain % places.length, load: weight * duty },
      ...{ allowedLow: allowed, allowedHigh: 0 },
    }));
    return { places, tasks, movable: tasks.filter(({ slot }) => list[slot]?.isFixed !== true) };
  });

  test('a task moves at most once, from where it is, to where it may run', () => {
    fc.assert(
      fc.property(machine, ({ places, tasks, movable }) => {
        const moves = planMoves(domainsWith(tasks, places), movable);
        expect(new Set(moves.map(({ slot }) => slot)).size).toBe(moves.length);
        for (const { slot, from, to } of moves) {
          const moved = movable.find((one) => one.slot === slot)!;
          expect(moved.domain).toBe(from);
          expect(mayRunIn(moved, to)).toBe(true);
          expect(places[to]!.capacity).toBeGreaterThan(0);
        }
      }),
    );
  });

  test('nodes are never less even than before', () => {
    fc.assert(
      fc.property(machine, ({ places, tasks, movable }) => {
        const byNode = (list: readonly TaskLoad[]): DomainLoad[] => {
          const domains = domainsWith(list, places);
          return [...new Set(places.map(({ node }) => node))]
            .map((node) => domains.filter((domain) => domain.node === node && domain.capacity > 0))
            .filter((members) => members.length > 0)
            .map((members) => ({
              ...members[0]!,
              capacity: members.reduce((sum, { capacity }) => sum + capacity, 0),
              load: members.reduce((sum, { load }) => sum + load, 0),
            }));
        };
        const before = unevenness(byNode(tasks));
        const moves = planMoves(domainsWith(tasks, places), movable);
        const then = unevenness(byNode(after(tasks, moves)));
        expect(then).toBeLessThanOrEqual(before * (1 + 1e-9) + 1e-6);
      }),
    );
  });

  test('two domains exchange at most half of their difference, and in one direction', () => {
    fc.assert(
      fc.property(machine, ({ places, tasks, movable }) => {
        const two = places.slice(0, 2).map(({ capacity }, node) => ({ node, capacity: capacity || 1 }));
        fc.pre(two.length === 2);
        const [all, free] = [tasks, movable].map((list) => list.filter(({ domain }) => domain < 2)) as [
          TaskLoad[],
          TaskLoad[],
        ];
        const domains = domainsWith(all, two);
        const [from, to] = [...domains].sort((a, b) => b.load / b.capacity - a.load / a.capacity) as [
          DomainLoad,
          DomainLoad,
        ];
        const moves = planMoves(domains, free);
        const moved = moves.reduce((sum, { slot }) => sum + free.find((one) => one.slot === slot)!.load, 0);
        for (const move of moves) expect([move.from, move.to]).toEqual([from.id, to.id]);
        const half = (from.load * to.capacity - to.load * from.capacity) / (from.capacity + to.capacity);
        expect(moved).toBeLessThanOrEqual(half + 1e-6);
      }),
    );
  });

  test('a plan that was followed leaves nothing to take back: the next one moves no task to where it came from', () => {
    fc.assert(
      fc.property(machine, ({ places, tasks, movable }) => {
        const first = planMoves(domainsWith(tasks, places), movable);
        const then = after(tasks, first);
        const second = planMoves(
          domainsWith(then, places),
          then.filter(({ slot }) => movable.some((one) => one.slot === slot)),
        );
        const origin = new Map(first.map(({ slot, from }) => [slot, places[from]!.node]));
        for (const { slot, to } of second) {
          if (origin.has(slot)) expect(places[to]!.node).not.toBe(origin.get(slot));
        }
      }),
    );
  });
});
