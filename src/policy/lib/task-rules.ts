/** Ordered rules about tasks, the first that matches wins. Matching allocates: do it when a task is new or has changed. */
import picomatch from 'picomatch';
import { z } from 'zod';
import type { Slot } from '../../shm/slot.js';
import type { TaskView } from '../../shm/task-view.js';

const REGEX = /^\/(.*)\/([ims]*)$/;
const NICE_MIN = -20;
const NICE_MAX = 19;

const text = z.string().min(1).max(256);
const nice = z.int().min(NICE_MIN).max(NICE_MAX);
const uid = z.int().min(0).max(0xffffffff);

/** What of a task is seen without asking the kernel. */
export const plainMatch = z.strictObject({
  /** Thread name: a glob (`*` also matches a slash), or a regular expression between slashes. */
  comm: text.refine(isCommPattern, 'not a regular expression').optional(),
  uid: z.union([uid, z.array(uid).min(1)]).optional(),
  /** One value, or the first and last of a range. */
  nice: z.union([nice, z.tuple([nice, nice])]).optional(),
  /** `process`: the first thread of a process; `thread`: any other. */
  kind: z.enum(['process', 'thread']).optional(),
});

/** TaskMatch is one rule's conditions; all that are given must hold, and none given match every task. */
export const taskMatch = plainMatch.extend({
  /** cgroup path, as below /sys/fs/cgroup: a glob, in which `*` matches within one name and `**` any number of them. */
  cgroup: text.startsWith('/').optional(),
  /** Path of the executable: a glob. */
  exec: text.startsWith('/').optional(),
});

export type TaskMatch = z.output<typeof taskMatch>;

/** TaskFacts is what rules look at. A path is undefined while it is not known, and '' when there is none. */
export interface TaskFacts {
  comm: string;
  uid: number;
  nice: number;
  isThread: boolean;
  cgroup: string | undefined;
  exec: string | undefined;
}

/** noFacts is an object for {@link readFacts} to fill. */
export const noFacts = (): TaskFacts => ({
  comm: '',
  uid: 0,
  nice: 0,
  isThread: false,
  cgroup: undefined,
  exec: undefined,
});

/** readFacts fills in what the slot has; the paths are the caller's. */
export function readFacts(tasks: TaskView, slot: Slot, facts: TaskFacts): void {
  facts.comm = tasks.comm(slot);
  facts.uid = tasks.uid(slot);
  facts.nice = tasks.nice(slot);
  facts.isThread = tasks.pid(slot) !== tasks.tgid(slot);
}

/** Whether a condition holds; undefined when it turns on something that is not known. */
type Condition = (facts: TaskFacts) => boolean | undefined;

/** TaskRules is an ordered list of rules. */
export class TaskRules {
  readonly usesCgroup: boolean;
  readonly usesExec: boolean;
  /** Of the last {@link first}: an earlier rule might match once what is not known is. */
  isProvisional = false;
  private readonly rules: readonly (readonly Condition[])[];

  constructor(rules: readonly TaskMatch[]) {
    this.rules = rules.map(conditionsOf);
    this.usesCgroup = rules.some(({ cgroup }) => cgroup !== undefined);
    this.usesExec = rules.some(({ exec }) => exec !== undefined);
  }

  /** first gives the number of the first rule that is known to match, or -1. O(rules), each at most five conditions. */
  first(facts: TaskFacts): number {
    this.isProvisional = false;
    for (let index = 0; index < this.rules.length; index++) {
      const holds = allHold(this.rules[index], facts);
      if (holds === true) return index;
      if (holds === undefined) this.isProvisional = true;
    }
    return -1;
  }
}

function allHold(conditions: readonly Condition[], facts: TaskFacts): boolean | undefined {
  let known = true;
  for (const condition of conditions) {
    const holds = condition(facts);
    if (holds === false) return false;
    if (holds === undefined) known = false;
  }
  return known ? true : undefined;
}

function conditionsOf(match: TaskMatch): Condition[] {
  const conditions: Condition[] = [];
  if (match.kind !== undefined) {
    const wantsThread = match.kind === 'thread';
    conditions.push(({ isThread }) => isThread === wantsThread);
  }
  if (match.nice !== undefined) {
    const [low, high] = typeof match.nice === 'number' ? [match.nice, match.nice] : match.nice;
    conditions.push((facts) => facts.nice >= low && facts.nice <= high);
  }
  if (match.uid !== undefined) {
    const uids = new Set([match.uid].flat());
    conditions.push((facts) => uids.has(facts.uid));
  }
  if (match.comm !== undefined) {
    const matches = commMatcher(match.comm);
    conditions.push(({ comm }) => matches(comm));
  }
  if (match.cgroup !== undefined) conditions.push(pathCondition(match.cgroup, 'cgroup'));
  if (match.exec !== undefined) conditions.push(pathCondition(match.exec, 'exec'));
  return conditions;
}

function pathCondition(glob: string, field: 'cgroup' | 'exec'): Condition {
  const matches = picomatch(glob, { dot: true });
  return (facts) => {
    const path = facts[field];
    return path === undefined ? undefined : path !== '' && matches(path);
  };
}

function commMatcher(pattern: string): (comm: string) => boolean {
  const regex = REGEX.exec(pattern);
  if (regex !== null) {
    const [, source = '', flags = ''] = regex;
    const expression = new RegExp(source, flags);
    return (comm) => expression.test(comm);
  }
  // Thread names are no paths: kworker/0:1 matches k*.
  return picomatch(pattern, { dot: true, bash: true });
}

function isCommPattern(pattern: string): boolean {
  try {
    commMatcher(pattern);
    return true;
  } catch {
    return false;
  }
}
