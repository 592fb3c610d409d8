/**
 * HOT PATH: no allocation, no exceptions, no closures, one fence and two atomic stores per batch.
 *
 * One batch of one domain: take, decide, publish.
 *   1. Count the committed entries. None and nothing held: done.
 *   2. Fence (status.busy). Progress moves and the state is BUSY: tasks are held from here on, as far as the kernel
 *      side knows they may be anywhere between its ring and the decision ring.
 *   3. Note each record in HeldTasks and hand its slot to the policy; events by their kinds. Then what other domains handed
 *      over, and the tick if it is due.
 *   4. The policy publishes what it likes, within the decision ring's room. What it hands to other domains is sent.
 *   5. Store the decision ring's tail. Invariant: decisions are visible before the state says READY.
 *   6. READY if nothing is held, or if there was room for all and the policy decided none: asking it again at once
 *      changes nothing, and the kernel side takes back what is kept for too long. Else a wake request of its own, so that
 *      it is not parked with tasks to decide. Then store the task ring's head, which makes either visible.
 */
import type { AskMode, DomainNeighbours, Policy, PolicyDefinition } from '../policy/policy.js';
import { HandOff } from '../handoff/hand-off.js';
import { TaskState } from '../policy/state.js';
import { type Arena, domainPlace, type DomainPlace } from '../shm/arena.js';
import { CpuView } from '../shm/cpu-view.js';
import { DecisionRing } from '../shm/decision-ring.js';
import { HeldTasks } from '../shm/held-tasks.js';
import { CPU, WORKER_STAT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { StandingOrders } from '../shm/standing-orders.js';
import { TaskRing, TOLD } from '../shm/task-ring.js';
import { TaskView } from '../shm/task-view.js';
import { WorkerStatus } from '../shm/worker-status.js';
import { DecisionSink } from './decision-sink.js';
import { eventsOf, PolicyEvents } from './policy-events.js';

/** How many records are taken at once. Larger batches cost latency, smaller ones atomics. */
export const BATCH_TASKS = 128;

const KIND_SHIFT = TOLD.kindShift;

/** DomainSettings are what a domain's loop is made from, beside the memory. */
export interface DomainSettings {
  readonly domain: number;
  readonly policy: PolicyDefinition;
  readonly ask: AskMode;
  readonly sliceUs: number;
  /** The policy's options, as parseOptions (policy/options.ts) gives them. */
  readonly options?: unknown;
  /** Shared by all domains with this policy; see state.ts. Without it the loop has its own. */
  readonly stateMemory?: ArrayBufferLike | undefined;
  /** Every domain's inbox; see inbox.ts. Without it nobody hands anything over. */
  readonly inboxMemory?: ArrayBufferLike | undefined;
  /** Indexed by CPU: another hardware thread of its core, or itself. */
  readonly siblings?: Uint16Array | undefined;
  readonly neighbours?: DomainNeighbours | undefined;
}

/** What of the settings goes with the policy. */
export type PolicySettings = Pick<DomainSettings, 'policy' | 'options' | 'stateMemory'>;

/** DomainLoop is one domain's policy with its rings. Single-threaded: made and used in the domain's worker. */
export class DomainLoop {
  readonly status: WorkerStatus;
  policy: Policy;
  private readonly arena: Arena;
  private readonly place: DomainPlace;
  private readonly settings: DomainSettings;
  private readonly tasks: TaskRing;
  private readonly decisions: DecisionRing;
  private readonly held: HeldTasks;
  private readonly handOff: HandOff;
  private sink: DecisionSink;
  private events: PolicyEvents;
  /** Tasks are held that another turn may decide. */
  private wantsTurn = false;
  /** What the policy is told of in this batch. */
  private readonly told = new Uint32Array(BATCH_TASKS).fill(0);
  /** Tasks that could not be handed over after all. */
  private readonly back: Uint32Array;

  /** @throws ArenaError, or whatever the policy's create throws. */
  constructor(arena: Arena, settings: DomainSettings) {
    const place = domainPlace(arena, settings.domain);
    this.arena = arena;
    this.place = place;
    this.settings = settings;
    this.status = new WorkerStatus(arena, place);
    this.tasks = new TaskRing(arena, place);
    this.decisions = new DecisionRing(arena, place);
    this.held = new HeldTasks(arena.nrSlots);
    this.handOff = new HandOff(arena, settings.domain, this.held, settings.inboxMemory);
    this.back = new Uint32Array(arena.nrSlots).fill(0);
    ({ policy: this.policy, sink: this.sink, events: this.events } = this.makePolicy(settings));
    this.begin(settings.policy);
  }

  /** begin tells the kernel side what the policy wants to know. */
  private begin({ tickMs }: PolicyDefinition): void {
    const { policy, status, tasks } = this;
    tasks.heedsDequeue = policy.dequeue !== undefined;
    status.wants(eventsOf(policy), policy.tick === undefined ? 0 : tickMs);
  }

  private makePolicy(chosen: PolicySettings): { policy: Policy; sink: DecisionSink; events: PolicyEvents } {
    const { arena, place, settings, held, status, handOff } = this;
    const { policy: definition } = chosen;
    const tasks = new TaskView(arena, held);
    const sink = new DecisionSink({
      ring: this.decisions,
      held,
      orders: new StandingOrders(arena),
      status,
      tasks,
      handOff,
      sliceUs: settings.sliceUs,
      standing: settings.ask === 'always' ? 'none' : definition.standing,
    });
    const state = new TaskState(definition.state, arena.nrSlots, chosen.stateMemory);
    const policy = definition.create({
      domain: settings.domain,
      nrCpus: place.nrCpus,
      nrSlots: arena.nrSlots,
      sliceUs: settings.sliceUs,
      ask: settings.ask,
      options: chosen.options,
      state: state.arrays,
      tasks,
      cpus: new CpuView(arena, cpusOf(arena, settings.domain), settings.siblings ?? alone(arena.nrCpus)),
      decisions: sink,
      clock: status,
      neighbours: settings.neighbours ?? neighboursOf(arena, settings.domain),
    });
    return { policy, sink, events: new PolicyEvents(policy, state, held) };
  }

  /**
   * replace puts another policy in the place of this one, between two batches. What is held goes over to it.
   *
   * @returns what the old one's unload threw
   * @throws whatever the new policy's create throws: the old one is then still in place; or its enqueue: it is not
   */
  replace(chosen: PolicySettings): unknown {
    const { held, policy: old } = this;
    const next = this.makePolicy(chosen);
    ({ policy: this.policy, sink: this.sink, events: this.events } = next);
    let problem: unknown;
    try {
      old.unload?.();
    } catch (error) {
      problem = error;
    }
    this.begin(chosen.policy);
    held.forget();
    for (let slot = 0; slot < held.nrSlots; slot++) {
      if (held.holds(slot as Slot)) this.events.begin(slot as Slot);
    }
    this.wantsTurn = held.count !== 0;
    return problem;
  }

  /**
   * batch does the six steps once and tells how many decisions it published, or tasks it handed over.
   *
   * @throws whatever the policy throws; the loop is then unusable.
   */
  batch(): number {
    const { tasks, held, policy, status, handOff } = this;
    const taken = tasks.committed(BATCH_TASKS);
    const ticked = status.ticked();
    const hasMail = handOff.hasMail();
    if (taken === 0 && held.count === 0 && !ticked && !hasMail) return 0;
    status.busy();
    const list = this.told;
    const told = tasks.take(taken, held, list);
    for (let index = 0; index < told; index++) {
      const word = list[index] | 0;
      if (word >>> KIND_SHIFT === 0) policy.enqueue(word as Slot);
      else this.events.tell(word);
    }
    if (hasMail) this.receive();
    if (ticked) policy.tick?.();
    const wanted = held.count;
    const room = this.sink.open();
    if (room > 0) policy.dispatch(room);
    else status.countEvent(WORKER_STAT.DECISION_RING_FULL);
    const handed = handOff.count === 0 ? 0 : this.handOver();
    const published = this.sink.close();
    const done = (published + handed) | 0;
    status.countBatch(taken, published);
    // What could not be handed over after all is to be decided otherwise.
    const cameBack = handOff.returned !== 0;
    handOff.returned = 0;
    this.wantsTurn = held.count !== 0 && (room < wanted || done !== 0 || cameBack);
    if (this.wantsTurn || handOff.hasMail()) status.wakeMe();
    else status.ready();
    tasks.release(taken);
    return done;
  }

  private receive(): void {
    const { told } = this;
    const count = this.handOff.receive(BATCH_TASKS, told);
    for (let index = 0; index < count; index++) this.events.begin((told[index] | 0) as Slot);
  }

  private handOver(): number {
    const { handOff, held, back } = this;
    const sent = handOff.send(this.sink, back);
    held.count -= sent;
    for (let index = 0; index < handOff.returned; index++) this.policy.enqueue((back[index] | 0) as Slot);
    return sent;
  }

  /** hasWork tells whether another batch now would come to anything. */
  hasWork(): boolean {
    return this.wantsTurn || this.tasks.ready() || this.handOff.hasMail();
  }
}

function cpusOf(arena: Arena, domain: number): Uint16Array {
  const cpus: number[] = [];
  for (let cpu = 0; cpu < arena.nrCpus; cpu++) {
    const at = arena.cpusWord + cpu * CPU.words;
    // A CPU that no domain has looks like one of domain 0, and has never been online.
    if (arena.words[at + CPU.word.domain] === domain && arena.words[at + CPU.word.online] !== 0)
      cpus.push(cpu);
  }
  return Uint16Array.from(cpus);
}

const alone = (nrCpus: number): Uint16Array => Uint16Array.from({ length: nrCpus }, (_, cpu) => cpu);

function neighboursOf({ nrDomains }: Arena, domain: number): DomainNeighbours {
  const all = Array.from({ length: nrDomains }, (_, id) => id);
  return {
    nrDomains,
    nearest: all.filter((id) => id !== domain),
    distances: all.map((id) => (id === domain ? 10 : 20)),
  };
}
