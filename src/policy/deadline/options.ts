/** The options of `deadline`. */
import { z } from 'zod';
import { LIMIT } from '../../shm/layout.generated.js';
import { plainMatch } from '../lib/task-rules.js';

/** All classes together leave at least 100 less this to the rest. */
const SHARES_MAX_PERCENT = 80;

const latencyClass = z.strictObject({
  /** So much earlier than by its vtime a task is queued while its budget is full. */
  boostUs: z.int().min(0).max(1_000_000).default(20_000),
  /** A task runs boosted for so long at a stretch; the boost decays with what is left. */
  budgetUs: z.int().min(1000).max(10_000_000).default(20_000),
  /** Its budget fills up at this part of the time that passes. */
  refillPercent: z.number().min(0.1).max(100).default(20),
  /** Tasks of the class together run boosted for this part of the domain's CPU time at most. */
  sharePercent: z.number().min(0.1).max(SHARES_MAX_PERCENT).default(40),
  /** The slice while boosted; the default slice unless said. */
  sliceUs: z.int().min(LIMIT.SLICE_MIN_US).max(LIMIT.SLICE_MAX_US).optional(),
});

export type LatencyClass = z.output<typeof latencyClass>;

const rule = z.strictObject({ match: plainMatch, class: z.string() });

export const options = z
  .strictObject({
    /** Latency classes by name. */
    classes: z.record(z.string(), latencyClass).default({ urgent: latencyClass.parse({}) }),
    /** Which tasks are in which class; the first rule that matches. Others have no boost. */
    rules: z
      .array(rule)
      .max(256)
      .default([{ match: { nice: [-20, -1] }, class: 'urgent' }]),
    /** A standing order is valid for so many wake-ups ... */
    orderWakes: z.int().min(1).max(1_000_000).default(64),
    /** ... and for so many milliseconds. */
    orderValidMs: z.int().min(1).max(10_000).default(200),
  })
  .superRefine(({ classes, rules }, context) => {
    const sum = Object.values(classes).reduce((percent, { sharePercent }) => percent + sharePercent, 0);
    if (sum > SHARES_MAX_PERCENT) {
      const message = `sharePercent of all classes is ${sum}, expected at most ${SHARES_MAX_PERCENT}`;
      context.addIssue({ code: 'custom', path: ['classes'], message });
    }
    rules.forEach(({ class: name }, index) => {
      if (Object.hasOwn(classes, name)) return;
      context.addIssue({ code: 'custom', path: ['rules', index, 'class'], message: `no class "${name}"` });
    });
  });

export type DeadlineOptions = z.output<typeof options>;
