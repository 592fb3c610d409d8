import { describe, expect, it } from 'vitest';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from '../../src/kernel/sim-rings.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import { writeU64 } from '../../src/shm/arena.js';
import { ORDER, SLOT, TASK_FLAG } from '../../src/shm/layout.generated.js';
import { slot } from '../../src/shm/slot.js';
import { StandingOrders } from '../../src/shm/standing-orders.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';

const MS = 1_000_000;
const which = slot(3);

function memory() {
  const arena = setUpSimMemory({
    domains: [{ cpus: [0] }],
    nrSlots: 8,
    taskRingSize: 8,
    decisionRingSize: 8,
  });
  const at = arena.slotsWord + which * SLOT.words;
  return {
    arena,
    enqueuedAt: (ns: number): void => writeU64(arena.words, at + SLOT.word.enqueuedNs, ns),
    setWeight: (weight: number): void => void (arena.words[at + SLOT.word.weight] = weight),
    serial: (): number => arena.words[at + SLOT.word.order + ORDER.word.serial],
    clearSerial: (): void => void (arena.words[at + SLOT.word.order + ORDER.word.serial] = 0),
  };
}

const leave = (orders: StandingOrders, sliceUs: number): void => {
  orders.leave(which, 64, 1000, 0, 0, 0, sliceUs, 0, 0);
};

describe('a standing order', () => {
  it('stands with its slice until half its time is over, also where the low word of the time wraps', () => {
    for (const start of [0, 5 * MS, 2 ** 32 - 100 * MS, 2 ** 31 * 1000]) {
      const { arena, enqueuedAt } = memory();
      const orders = new StandingOrders(arena);
      expect(orders.stands(which, 5000)).toBe(false);
      enqueuedAt(start);
      leave(orders, 5000);
      expect([orders.stands(which, 5000), orders.stands(which, 4000)]).toEqual([true, false]);
      enqueuedAt(start + 450 * MS);
      expect(orders.stands(which, 5000)).toBe(true);
      enqueuedAt(start + 600 * MS);
      expect(orders.stands(which, 5000)).toBe(false);
    }
  });

  it('does not stand when the kernel side took it away, or another worker left its own', () => {
    const { arena, clearSerial } = memory();
    const [mine, others] = [new StandingOrders(arena), new StandingOrders(arena)];
    leave(mine, 5000);
    clearSerial();
    expect(mine.stands(which, 5000)).toBe(false);
    leave(mine, 5000);
    leave(others, 5000);
    expect([mine.stands(which, 5000), others.stands(which, 5000)]).toEqual([false, true]);
    mine.withdraw(which);
    expect(others.stands(which, 5000)).toBe(false);
  });
});

describe('vtime', () => {
  it('leaves an order once, and again when it ran out, half its time is over, or the task is another', () => {
    const { arena, serial, clearSerial, enqueuedAt, setWeight } = memory();
    const producer = new SimTaskProducer(arena, 0);
    const consumer = new SimDecisionConsumer(arena, 0);
    const loop = new DomainLoop(arena, {
      domain: 0,
      policy: builtinPolicy('vtime')!,
      options: parseOptions(builtinPolicy('vtime')!, undefined),
      ask: 'auto',
      sliceUs: 5000,
    });
    /** Whether a decision about the task renewed its order. */
    const renews = (flags: number): boolean => {
      const before = serial();
      producer.push(which, flags);
      loop.batch();
      expect(consumer.take()).toBe(true);
      return serial() !== before;
    };
    setWeight(100);
    expect([renews(TASK_FLAG.NEW), renews(0), renews(TASK_FLAG.WAKEUP)]).toEqual([true, false, false]);
    expect(renews(TASK_FLAG.WAKEUP | TASK_FLAG.ORDER_ENDED)).toBe(true);
    expect(renews(0)).toBe(false);
    setWeight(200);
    expect([renews(0), renews(0)]).toEqual([true, false]);
    enqueuedAt(600 * MS);
    expect([renews(0), renews(0)]).toEqual([true, false]);
    clearSerial();
    expect(renews(TASK_FLAG.NEW)).toBe(true);
  });
});
