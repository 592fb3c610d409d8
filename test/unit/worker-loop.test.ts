import { describe, expect, it } from 'vitest';
import { SimFeed } from '../../src/kernel/sim-feed.js';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from '../../src/kernel/sim-rings.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import { definePolicy, type PolicyDefinition } from '../../src/policy/policy.js';
import { domainPlace } from '../../src/shm/arena.js';
import { DOMAIN, SLOT, WORKER_STAT, WORKER_STATE } from '../../src/shm/layout.generated.js';
import { slot } from '../../src/shm/slot.js';
import { commandGo, commandStop, createControl, mustStop, waitForCommand } from '../../src/worker/control.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';
import { runDomain, type WaitMode } from '../../src/worker/run.js';
import { makeWaitPort } from '../../src/worker/wait-port.js';
import { warmUp } from '../../src/worker/warm-up.js';

const fifo = builtinPolicy('fifo')!;
const settings = { domain: 0, ask: 'auto', sliceUs: 5000 } as const;

const failing = (when: number): PolicyDefinition =>
  definePolicy({
    name: 'failing',
    summary: 'throws at its n-th task',
    create: () => {
      let seen = 0;
      return {
        enqueue() {
          if (++seen === when) throw new Error('out of ideas');
        },
        dispatch: () => undefined,
      };
    },
  });

function small(): {
  producer: SimTaskProducer;
  consumer: SimDecisionConsumer;
  loop: DomainLoop;
  word: (name: keyof typeof DOMAIN.word) => number;
  slotWord: (index: number, name: keyof typeof SLOT.word, value: number) => void;
} {
  const arena = setUpSimMemory({
    domains: [{ cpus: [0] }],
    nrSlots: 64,
    taskRingSize: 64,
    decisionRingSize: 4,
  });
  const place = domainPlace(arena, 0);
  return {
    producer: new SimTaskProducer(arena, 0),
    consumer: new SimDecisionConsumer(arena, 0),
    loop: new DomainLoop(arena, { ...settings, policy: fifo }),
    word: (name) => arena.words[place.domainWord + DOMAIN.word[name]],
    slotWord: (index, name, value) => {
      arena.words[arena.slotsWord + index * SLOT.words + SLOT.word[name]] = value;
    },
  };
}

function drain(consumer: SimDecisionConsumer): { slot: number; enq: number; generation: number }[] {
  const taken = [];
  while (consumer.take()) {
    taken.push({ slot: consumer.slot, enq: consumer.enq, generation: consumer.generation });
  }
  return taken;
}

describe('the worker loop', () => {
  it.each(['park', 'spin', 'poll'] as WaitMode[])(
    'decides every task exactly once when it waits by %s',
    (wait) => {
      const feed = new SimFeed(256);
      const loop = new DomainLoop(feed.arena, { ...settings, policy: fifo });
      const control = createControl();
      let pushed = 0;
      const turn = (): void => {
        feed.drain();
        if (pushed < 5000) pushed += feed.push(1 + (pushed % 90));
        else if (feed.decided === pushed) commandStop(control);
      };
      const reason = runDomain({ loop, control, wait, port: makeWaitPort(turn), policyName: 'fifo' });
      expect(reason).toEqual({ kind: 'requested' });
      expect([feed.decided, feed.stale]).toEqual([pushed, 0]);
      expect(loop.status.statistic(WORKER_STAT.TAKEN)).toBe(pushed);
      expect(loop.status.statistic(WORKER_STAT.PUBLISHED)).toBe(pushed);
    },
  );

  it('keeps what the decision ring has no room for, is BUSY and asks not to be parked meanwhile', () => {
    const { producer, consumer, loop, word } = small();
    for (let index = 0; index < 10; index++) producer.push(slot(index), 0);
    expect(loop.batch()).toBe(4);
    expect(word('workerState')).toBe(WORKER_STATE.BUSY);
    expect(word('wakeRequest')).toBe(1);
    expect(loop.batch()).toBe(0);
    expect(loop.status.statistic(WORKER_STAT.DECISION_RING_FULL)).toBe(1);
    const taken = drain(consumer);
    while (loop.batch() > 0) taken.push(...drain(consumer));
    expect(taken.map((decision) => decision.slot)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(word('workerState')).toBe(WORKER_STATE.READY);
  });

  it('answers the newest wait of a task that was enqueued again before it was decided, once', () => {
    const { producer, consumer, loop, slotWord } = small();
    // Four tasks fill the decision ring, so the fifth stays with the policy.
    for (let index = 0; index < 5; index++) producer.push(slot(index), 0);
    loop.batch();
    slotWord(4, 'enq', 77);
    slotWord(4, 'generation', 3);
    producer.push(slot(4), 0);
    loop.batch();
    drain(consumer);
    loop.batch();
    expect(drain(consumer)).toEqual([{ slot: 4, enq: 77, generation: 3 }]);
    expect(loop.batch()).toBe(0);
  });

  it('passes over a record whose slot number is out of range', () => {
    const { producer, consumer, loop } = small();
    producer.push(slot(64), 0);
    producer.push(slot(0xfffffff0), 0);
    producer.push(slot(3), 0);
    expect(loop.batch()).toBe(1);
    expect(drain(consumer).map((decision) => decision.slot)).toEqual([3]);
  });

  it('counts, and does not publish, decisions of a policy for tasks it does not hold', () => {
    const arena = setUpSimMemory({
      domains: [{ cpus: [0] }],
      nrSlots: 8,
      taskRingSize: 8,
      decisionRingSize: 8,
    });
    const policy = definePolicy({
      name: 'twice',
      summary: 'publishes everything twice',
      create: ({ decisions }) => {
        const held: number[] = [];
        return {
          enqueue: (task) => void held.push(task),
          dispatch: () => {
            for (const task of [...held, ...held, 12345]) decisions.publish(slot(task), 0, 0, 0);
            held.length = 0;
          },
        };
      },
    });
    const loop = new DomainLoop(arena, { ...settings, policy });
    new SimTaskProducer(arena, 0).push(slot(1), 0);
    expect(loop.batch()).toBe(1);
    expect(loop.status.statistic(WORKER_STAT.POLICY_ERRORS)).toBe(2);
  });

  it('turns a policy that throws into a reason with its name and line, and ends in STOPPING', () => {
    const feed = new SimFeed(64);
    const loop = new DomainLoop(feed.arena, { ...settings, policy: failing(3) });
    const port = makeWaitPort(() => void feed.push(2));
    const reason = runDomain({ loop, control: createControl(), wait: 'park', port, policyName: 'failing' });
    expect(reason).toMatchObject({ kind: 'policy-error', policy: 'failing', message: 'out of ideas' });
    expect(reason.kind === 'policy-error' && reason.at).toContain('worker-loop.test.ts');
    const state = feed.arena.words[domainPlace(feed.arena, 0).domainWord + DOMAIN.word.workerState];
    expect(state).toBe(WORKER_STATE.STOPPING);
  });
});

describe('warm-up', () => {
  it('runs every built-in policy in every way of waiting', () => {
    for (const wait of ['park', 'poll'] as const) {
      for (const name of ['fifo', 'vtime']) {
        const policy = builtinPolicy(name)!;
        expect(
          warmUp({ ...settings, policy, options: parseOptions(policy, undefined), wait }),
        ).toBeUndefined();
      }
    }
  });

  it('finds a policy that fails, in its tasks or in its making, before attach', () => {
    expect(warmUp({ ...settings, policy: failing(100), wait: 'park' })).toMatchObject({
      kind: 'policy-error',
    });
    const create = (): never => {
      throw new Error('no memory');
    };
    const policy = definePolicy({ name: 'stillborn', summary: '', create });
    expect(warmUp({ ...settings, policy, wait: 'park' })).toMatchObject({ message: 'no memory' });
  });
});

describe('control words', () => {
  it('go once, and stay stopped', () => {
    const control = createControl();
    commandGo(control);
    expect(waitForCommand(control)).toBe(true);
    expect(mustStop(control)).toBe(false);
    commandStop(control);
    commandGo(control);
    expect(waitForCommand(control)).toBe(false);
    expect(mustStop(control)).toBe(true);
  });
});
