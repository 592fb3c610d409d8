/** HOT PATH: no allocation, no exceptions. What a policy is told beside asks. */
import type { Policy } from '../policy/policy.js';
import type { TaskState } from '../policy/state.js';
import type { HeldTasks } from '../shm/held-tasks.js';
import { EVENT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { TOLD } from '../shm/task-ring.js';

const {
  slotMask: SLOT_MASK,
  cpuShift: CPU_SHIFT,
  cpuMask: CPU_MASK,
  kindShift: KIND_SHIFT,
  renew: RENEW,
  begin: BEGIN,
} = TOLD;

const EVENT_OF = [
  ['dequeue', EVENT.DEQUEUE],
  ['taskExit', EVENT.EXIT],
  ['running', EVENT.RUNNING],
  ['stopping', EVENT.STOPPING],
  ['weightChanged', EVENT.WEIGHT],
  ['affinityChanged', EVENT.AFFINITY],
  ['cpuOnline', EVENT.CPU_ONLINE],
  ['cpuOffline', EVENT.CPU_OFFLINE],
] as const;

/** eventsOf gives the events (bits of EVENT) that a policy has methods for. */
export function eventsOf(policy: Policy): number {
  return EVENT_OF.reduce((bits, [method, kind]) => (method in policy ? bits | (1 << kind) : bits), 0);
}

/** PolicyEvents calls the methods that go with the events. */
export class PolicyEvents {
  constructor(
    private readonly policy: Policy,
    private readonly state: TaskState,
    private readonly held: HeldTasks,
  ) {}

  /** begin hands the policy a held task that may be new to it. */
  begin(slot: Slot): void {
    this.renew(slot);
    this.policy.enqueue(slot);
  }

  /** renew tells the policy if a held task is new to it. */
  private renew(slot: Slot): void {
    if (this.state.begin(slot, this.held.generation(slot))) this.policy.taskInit?.(slot);
  }

  /** tell does what one entry of TaskRing.take's list says, other than an ordinary ask. */
  tell(word: number): void {
    const { policy } = this;
    const slot = (word & SLOT_MASK) as Slot;
    switch (word >>> KIND_SHIFT) {
      case BEGIN:
        this.begin(slot);
        break;
      case RENEW:
        this.renew(slot);
        break;
      case EVENT.DEQUEUE:
        policy.dequeue?.(slot);
        break;
      case EVENT.EXIT:
        policy.taskExit?.(slot);
        break;
      case EVENT.RUNNING:
        policy.running?.(slot, (word >>> CPU_SHIFT) & CPU_MASK);
        break;
      case EVENT.STOPPING:
        policy.stopping?.(slot, (word >>> CPU_SHIFT) & CPU_MASK);
        break;
      case EVENT.WEIGHT:
        policy.weightChanged?.(slot);
        break;
      case EVENT.AFFINITY:
        policy.affinityChanged?.(slot);
        break;
      case EVENT.CPU_ONLINE:
        policy.cpuOnline?.(slot);
        break;
      case EVENT.CPU_OFFLINE:
        policy.cpuOffline?.(slot);
        break;
    }
  }
}
