/** The balancer on a table of slots, with the kernel side's part played here. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Balancer } from '../../src/balance/balancer.js';
import { TaskLoads } from '../../src/balance/task-loads.js';
import type { Domain } from '../../src/domain/plan.js';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { type Arena, readU64, writeU64 } from '../../src/shm/arena.js';
import { HEADER, OWNER, SLOT, SLOT_FLAG } from '../../src/shm/layout.generated.js';
import { cpu, domainId, nodeId } from '../../src/topology/ids.js';

const W = SLOT.word;
const BEAT_MS = 1_000;
const CAPACITY = new Float64Array(4).fill(1024);

const DOMAINS = [0, 1].map((id): Domain => ({
  id: domainId(id),
  name: `node${id}`,
  cpus: [cpu(id * 2), cpu(id * 2 + 1)],
  node: nodeId(id),
  workerCpu: cpu(id * 2 + 1),
  distances: id === 0 ? [10, 20] : [20, 10],
  neighbours: [domainId(1 - id)],
}));

/** The kernel side: tasks that are runnable for a share of each beat, and go where they are told if they can. */
class Machine {
  readonly arena: Arena;
  readonly balancer: Balancer;
  private used = 0;
  private nowNs = 0;
  private readonly duties: number[] = [];
  private readonly seen: number[] = [];
  /** Tasks that neither wake nor end a slice. */
  readonly still = new Set<number>();

  constructor() {
    const memory = { nrSlots: 256, taskRingSize: 64, decisionRingSize: 64 };
    this.arena = setUpSimMemory({ ...memory, domains: [{ cpus: [0, 1] }, { cpus: [2, 3] }] });
    this.balancer = new Balancer(this.arena, DOMAINS, CAPACITY);
  }

  at(slot: number): number {
    return this.arena.slotsWord + slot * SLOT.words;
  }

  word(slot: number, field: number): number {
    return this.arena.words[this.at(slot) + field]!;
  }

  set(slot: number, field: number, value: number): void {
    this.arena.words[this.at(slot) + field] = value;
  }

  add(domain: number, { duty = 1, weight = 100, flags = 0, allowed = 0b11 } = {}): number {
    const slot = this.used++;
    this.arena.words[HEADER.word.slotsUsed] = this.used;
    this.set(slot, W.generation, 1);
    this.set(slot, W.owner, OWNER.KERNEL);
    this.set(slot, W.domain, domain);
    this.set(slot, W.weight, weight);
    this.set(slot, W.flags, flags);
    this.set(slot, W.numaNode, 0xffffffff);
    this.set(slot, W.allowedDomains, allowed);
    this.duties[slot] = duty;
    return slot;
  }

  /** Lets a beat's time pass, follows targets as nl_slot.target says, and lets the balancer look. */
  beat(): number {
    const { words } = this.arena;
    for (const [slot, duty] of this.duties.entries()) {
      const target = this.word(slot, W.target);
      if (target !== (this.seen[slot] ?? 0) && !this.still.has(slot)) {
        this.seen[slot] = target;
        const to = (target & 0xff) - 1;
        if (to >= 0) this.set(slot, W.domain, to);
      }
      const at = this.at(slot) + W.runnableNs;
      writeU64(words, at, readU64(words, at) + duty * BEAT_MS * 1e6);
    }
    this.nowNs += BEAT_MS * 1e6;
    writeU64(words, HEADER.word.nowNs, this.nowNs);
    return this.balancer.beat().length;
  }

  counts(): number[] {
    return [0, 1].map((id) => this.duties.filter((_, slot) => this.word(slot, W.domain) === id).length);
  }
}

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});

describe('the balancer', () => {
  test('evens out two nodes, and then leaves them alone', () => {
    for (let i = 0; i < 8; i++) machine.add(0);
    const sent = Array.from({ length: 8 }, () => machine.beat());
    expect(machine.counts()).toEqual([4, 4]);
    expect(sent.reduce((sum, n) => sum + n)).toBe(4);
    expect(machine.balancer.counts).toMatchObject({ beats: 8, sent: 4, withdrawn: 0 });
  });

  test('leaves bound tasks, and such as may run in one domain only', () => {
    for (let i = 0; i < 4; i++) machine.add(0, { flags: SLOT_FLAG.BOUND });
    for (let i = 0; i < 4; i++) machine.add(0, { allowed: 0b01 });
    for (let i = 0; i < 5; i++) expect(machine.beat()).toBe(0);
    expect(machine.counts()).toEqual([8, 0]);
  });

  test('sends nobody who was only seen once', () => {
    for (let i = 0; i < 8; i++) machine.add(0);
    expect(machine.beat()).toBe(0);
    expect(machine.beat()).toBeGreaterThan(0);
  });

  test('takes back what was not followed, and asks another task the next time', () => {
    for (let i = 0; i < 8; i++) machine.still.add(machine.add(0));
    machine.beat();
    machine.beat();
    const asked = [...machine.still].filter((slot) => (machine.word(slot, W.target) & 0xff) === 2);
    expect(asked).toHaveLength(4);
    machine.beat();
    const withdrawn = asked.filter((slot) => (machine.word(slot, W.target) & 0xff) === 0);
    expect(withdrawn).toEqual(asked);
    expect(machine.balancer.counts.withdrawn).toBe(4);
  });

  test('does not send back a task it sent a moment ago', () => {
    const sent = [machine.add(0), machine.add(0), machine.add(0), machine.add(0)];
    for (let i = 0; i < 3; i++) machine.beat();
    expect(machine.counts()).toEqual([2, 2]);
    const there = sent.filter((slot) => machine.word(slot, W.domain) === 1);
    // Now the other node is the fuller one.
    for (let i = 0; i < 6; i++) machine.add(1);
    for (let i = 0; i < 2; i++) machine.beat();
    for (const slot of there) expect(machine.word(slot, W.domain)).toBe(1);
    for (let i = 0; i < 4; i++) machine.beat();
    expect(machine.counts()).toEqual([5, 5]);
  });

  test('never writes the same target twice in a row, so that the kernel side follows each once', () => {
    for (let i = 0; i < 8; i++) machine.still.add(machine.add(0));
    const last = new Map<number, number>();
    for (let i = 0; i < 20; i++) {
      const before = [...machine.still].map((slot) => machine.word(slot, W.target));
      machine.beat();
      [...machine.still].forEach((slot, index) => {
        const target = machine.word(slot, W.target);
        if (target === before[index]) return;
        expect(target).not.toBe(last.get(slot));
        last.set(slot, target);
      });
    }
    expect(last.size).toBeGreaterThan(0);
  });
});

describe("a task's duty", () => {
  test('is the share of time it was runnable, and forgets half of the past in a second', () => {
    const loads = new TaskLoads(machine.arena, CAPACITY);
    const slot = machine.add(0, { weight: 335 });
    const { words } = machine.arena;
    const look = (nowMs: number, runnableMs: number): number => {
      writeU64(words, HEADER.word.nowNs, nowMs * 1e6);
      writeU64(words, machine.at(slot) + W.runnableNs, runnableMs * 1e6);
      loads.look();
      return loads.duty[0]!;
    };
    expect(look(1_000, 1_000)).toBe(1);
    expect(look(2_000, 1_000)).toBeCloseTo(0.5, 5);
    expect(look(3_000, 2_000)).toBeCloseTo(0.75, 5);
    expect(loads.load[0]).toBeCloseTo(0.75 * 335, 3);
  });

  test('counts a wait that is not over', () => {
    const loads = new TaskLoads(machine.arena, CAPACITY);
    const slot = machine.add(0);
    writeU64(machine.arena.words, machine.at(slot) + W.runnableSinceNs, 500e6);
    writeU64(machine.arena.words, HEADER.word.nowNs, 1_000e6);
    loads.look();
    expect(loads.duty[0]).toBeCloseTo(0.5, 5);
  });

  test('begins anew when the slot gets another task', () => {
    const loads = new TaskLoads(machine.arena, CAPACITY);
    const slot = machine.add(0);
    const { words } = machine.arena;
    writeU64(words, machine.at(slot) + W.runnableNs, 1_000e6);
    writeU64(words, HEADER.word.nowNs, 1_000e6);
    loads.look();
    machine.set(slot, W.generation, 2);
    writeU64(words, machine.at(slot) + W.runnableNs, 0);
    writeU64(words, HEADER.word.nowNs, 2_000e6);
    loads.look();
    expect(loads.duty[0]).toBe(0);
    expect(loads.movable()).toEqual([]);
  });
});
