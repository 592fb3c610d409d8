/** Who a task is, for rules and reports: not for hot paths (these allocate). */
import { LIMIT, SLOT } from './layout.generated.js';
import type { Arena } from './arena.js';
import type { Slot } from './slot.js';

export interface TaskIdentity {
  readonly pid: number;
  readonly tgid: number;
  readonly uid: number;
  readonly nice: number;
  readonly weight: number;
  readonly comm: string;
  readonly cgroupId: bigint;
}

/** readIdentity copies a slot's identity. The task may be exiting meanwhile; then the answer is its last one. */
export function readIdentity(arena: Arena, slot: Slot): TaskIdentity {
  const at = arena.slotsWord + slot * SLOT.words;
  const { words } = arena;
  const comm = Buffer.from(words.buffer, words.byteOffset + at * 4 + SLOT.byte.comm, LIMIT.COMM_LEN);
  const end = comm.indexOf(0);
  const cgroup = at + SLOT.word.cgroupId;
  return {
    pid: words[at + SLOT.word.pid],
    tgid: words[at + SLOT.word.tgid],
    uid: words[at + SLOT.word.uid],
    nice: words[at + SLOT.word.nice] | 0,
    weight: words[at + SLOT.word.weight],
    comm: comm.toString('utf8', 0, end < 0 ? LIMIT.COMM_LEN : end),
    cgroupId: BigInt(words[cgroup]) | (BigInt(words[cgroup + 1]) << 32n),
  };
}
