import { describe, expect, it } from 'vitest';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimTaskProducer } from '../../src/kernel/sim-rings.js';
import { domainPlace, writeU64 } from '../../src/shm/arena.js';
import { HeldTasks } from '../../src/shm/held-tasks.js';
import { LIMIT, SLOT, TASK_FLAG } from '../../src/shm/layout.generated.js';
import { slot } from '../../src/shm/slot.js';
import { TaskRing } from '../../src/shm/task-ring.js';
import { TaskView } from '../../src/shm/task-view.js';

const which = slot(2);

function shown() {
  const arena = setUpSimMemory({
    domains: [{ cpus: [0] }],
    nrSlots: 4,
    taskRingSize: 8,
    decisionRingSize: 8,
  });
  const held = new HeldTasks(4);
  const at = arena.slotsWord + which * SLOT.words;
  return {
    tasks: new TaskView(arena, held),
    set: (name: keyof typeof SLOT.word, value: number): void =>
      void (arena.words[at + SLOT.word[name]] = value),
    setLong: (name: keyof typeof SLOT.word, value: number): void =>
      writeU64(arena.words, at + SLOT.word[name], value),
    comm: Buffer.from(arena.words.buffer, at * 4 + SLOT.byte.comm, LIMIT.COMM_LEN),
    ask: (flags: number): void => {
      const ring = new TaskRing(arena, domainPlace(arena, 0));
      new SimTaskProducer(arena, 0).push(which, flags);
      expect(ring.take(ring.committed(8), held, new Uint32Array(8))).toBe(1);
    },
  };
}

describe('a view of a task', () => {
  it('gives its name as far as it goes, with all bytes of it used or not', () => {
    const { tasks, comm } = shown();
    expect(tasks.comm(which)).toBe('');
    comm.write('kworker/0:1');
    expect(tasks.comm(which)).toBe('kworker/0:1');
    comm.fill('x');
    expect(tasks.comm(which)).toBe('x'.repeat(LIMIT.COMM_LEN));
    comm.fill(0).write('größe');
    expect(tasks.comm(which)).toBe('größe');
  });

  it('gives signed and 64-bit values as what they are', () => {
    const { tasks, set, setLong } = shown();
    set('nice', -7);
    set('uid', 0xfffffffe);
    set('numaNode', 0xffffffff);
    set('identity', 0x80000001);
    setLong('cgroupId', 2 ** 52 + 1);
    expect(tasks.nice(which)).toBe(-7);
    expect(tasks.uid(which)).toBe(0xfffffffe);
    expect(tasks.numaNode(which)).toBe(-1);
    expect(tasks.identity(which)).toBe(0x80000001);
    expect(tasks.cgroupId(which)).toBe(2 ** 52 + 1);
    set('numaNode', 3);
    expect(tasks.numaNode(which)).toBe(3);
  });

  it('tells the domains that its affinity allows, the first to the last', () => {
    const { tasks, set } = shown();
    set('allowedDomains', 0b101);
    expect([0, 1, 2, 31, 32, 63].map((domain) => tasks.mayUse(which, domain))).toEqual([
      true,
      false,
      true,
      false,
      false,
      false,
    ]);
    const high = shown();
    high.setLong('allowedDomains', 2 ** 63 + 2 ** 32);
    expect([0, 31, 32, 62, 63].map((domain) => high.tasks.mayUse(which, domain))).toEqual([
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  it('tells a wake-up, a new task, and a slice that ended', () => {
    const told = [TASK_FLAG.WAKEUP, TASK_FLAG.WAKEUP | TASK_FLAG.NEW, 0].map((flags) => {
      const { tasks, ask } = shown();
      ask(flags);
      return [tasks.isWakeup(which), tasks.isNew(which)];
    });
    expect(told).toEqual([
      [true, false],
      [true, true],
      [false, false],
    ]);
  });
});
