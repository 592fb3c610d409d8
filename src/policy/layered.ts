/** HOT PATH (enqueue, dispatch): no allocation, no exceptions; a task that is new or has changed is matched with the rules. */
import { performance } from 'node:perf_hooks';
import type { CpuView } from '../shm/cpu-view.js';
import { DECISION_FLAG, LIMIT, TASK_FLAG } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';
import { Layers, PLACE } from './layered/layers.js';
import { type Layer, type LayeredOptions, options, readLayers } from './layered/options.js';
import { RulesFile } from './layered/rules-file.js';
import { TaskPaths } from './layered/task-paths.js';
import { EarliestFirst } from './lib/earliest-first.js';
import { noFacts, readFacts } from './lib/task-rules.js';
import { VTIME_STATE, VtimeClock } from './lib/vtime-clock.js';
import { VtimeOrders } from './lib/vtime-orders.js';
import { definePolicy, type DomainClock, type DomainNeighbours, type PolicyContext } from './policy.js';
import type { StateArrays } from './state.js';

const CPU_ANY = LIMIT.CPU_ANY;
const WOKE = TASK_FLAG.WAKEUP;
const KEEP_KEY = DECISION_FLAG.KEEP_KEY;
const MAY_PREEMPT = DECISION_FLAG.PREEMPT;
const ANYWHERE = PLACE.ANYWHERE;
const SPREAD = PLACE.SPREAD;
/** A task that did not sleep keeps a claim to so much. */
const KEEP_AWAKE_NS = 1e9;

const STATE = {
  ...VTIME_STATE,
  layer: 'u32',
  /** By which rules, and for which identity of the task, that was found; 0 while paths are not known ... */
  settings: 'u32',
  /** ... and this is by which rules the layer is what it is for now. */
  triedSettings: 'u32',
  identity: 'u32',
  /** 1 + the domain a task of a layer that is spread is to begin in; 0: it has been there. */
  spreadTo: 'u32',
  boostNs: 'f64',
} as const;

/**
 * layered schedules by ordered rules (after scx_layered, scheds/rust/scx_layered): the first that matches a task by name,
 * cgroup, user, nice or executable gives its weight, slice, offset, domains and CPUs. Within a domain it is weighted fair
 * queueing by virtual time: key = vtime + offset. An offset moves a task, but what it runs is charged all the same, so
 * one that never sleeps gains no more than its offset once.
 */
class Layered extends EarliestFirst {
  /** There only when something is to be looked after. */
  readonly tick?: () => void;
  private readonly domain: number;
  private readonly tasks: TaskView;
  private readonly cpus: CpuView;
  private readonly domainClock: DomainClock;
  private readonly neighbours: DomainNeighbours;
  private readonly state: StateArrays<typeof STATE>;
  private readonly clock: VtimeClock;
  private readonly orders: VtimeOrders;
  private readonly leavesOrders: boolean;
  private readonly sliceUs: number;
  private readonly facts = noFacts();
  private readonly nrSlots: number;
  private readonly cgroupRoot: string;
  private layers: Layers;
  private paths: TaskPaths | undefined;
  /** Turns among domains, and among the CPUs of a set. */
  private nextDomain: number;
  private nextCpu = 0;

  constructor(context: PolicyContext<LayeredOptions, typeof STATE>) {
    super(context);
    const { options, sliceUs, domain, nrSlots, state } = context;
    this.domain = domain;
    this.tasks = context.tasks;
    this.cpus = context.cpus;
    this.domainClock = context.clock;
    this.neighbours = context.neighbours;
    this.state = state;
    this.clock = new VtimeClock(state, domain, sliceUs);
    this.orders = new VtimeOrders(context.decisions, this.clock, nrSlots, sliceUs, options);
    this.leavesOrders = context.ask !== 'always';
    this.sliceUs = sliceUs;
    this.nrSlots = nrSlots;
    this.cgroupRoot = options.cgroupRoot;
    this.nextDomain = domain;
    const { file } = options;
    const rulesFile = file === undefined ? undefined : new RulesFile(file);
    this.layers = this.makeLayers(file === undefined ? (options.layers ?? []) : readLayers(file));
    this.paths = this.makePaths();
    if (rulesFile !== undefined || this.paths !== undefined) {
      this.tick = () => {
        this.look(rulesFile, performance.now());
      };
    }
  }

  private makeLayers(layers: readonly Layer[]): Layers {
    return new Layers(layers, this.sliceUs, this.domain, this.cpus);
  }

  private makePaths(): TaskPaths | undefined {
    const { usesCgroup: cgroup, usesExec: exec } = this.layers.rules;
    return cgroup || exec ? new TaskPaths(this.nrSlots, this.cgroupRoot, { cgroup, exec }) : undefined;
  }

  /** Reads the rules again if they have changed. Tasks are matched with them when they are enqueued next. */
  private look(rulesFile: RulesFile | undefined, nowMs: number): void {
    const layers = rulesFile?.changed(nowMs);
    if (layers !== undefined) {
      this.layers = this.makeLayers(layers);
      this.paths = this.makePaths();
    }
    this.paths?.tick(nowMs);
  }

  enqueue(slot: Slot): void {
    const { state, layers } = this;
    if (state.settings[slot] !== layers.settings || state.identity[slot] !== this.tasks.identity(slot)) {
      this.classify(slot);
    }
    const layer = state.layer[slot] | 0;
    if (layers.place[layer] !== ANYWHERE && this.placeElsewhere(slot, layer)) return;
    this.order(slot, layer);
    this.queue.push(slot);
  }

  /** classify finds a task's layer. Allocates. */
  private classify(slot: Slot): void {
    const { tasks, state, layers, facts, paths } = this;
    const { rules } = layers;
    const identity = tasks.identity(slot);
    const isFirst = state.triedSettings[slot] !== layers.settings || state.identity[slot] !== identity;
    if (!isFirst && paths?.isWaiting(slot) === true) return;
    readFacts(tasks, slot, facts);
    paths?.fill(tasks, slot, facts);
    const layer = layers.layerOf(rules.first(facts));
    const isOther = isFirst || state.layer[slot] !== layer;
    state.layer[slot] = layer;
    state.identity[slot] = identity;
    state.triedSettings[slot] = layers.settings;
    state.settings[slot] = rules.isProvisional ? 0 : layers.settings;
    if (!isOther) return;
    // No wake-up any more by an order of its old layer.
    this.orders.end(slot);
    state.spreadTo[slot] = layers.place[layer] === SPREAD ? 1 + this.turn(slot) : 0;
  }

  /** The next domain by turns that the task may be in. */
  private turn(slot: Slot): number {
    const { nrDomains } = this.neighbours;
    for (let looked = 0; looked < nrDomains; looked++) {
      const domain = this.nextDomain;
      this.nextDomain = domain + 1 < nrDomains ? domain + 1 : 0;
      if (this.tasks.mayUse(slot, domain)) return domain;
    }
    return this.domain;
  }

  /** placeElsewhere hands a task over to a domain it is to be in, if it is not here; false when it stays. */
  private placeElsewhere(slot: Slot, layer: number): boolean {
    const { state, layers, decisions, domain } = this;
    if (layers.place[layer] === SPREAD) {
      const to = (state.spreadTo[slot] | 0) - 1;
      if (to >= 0 && to !== domain && decisions.handOff(slot, to)) return true;
      state.spreadTo[slot] = 0;
      return false;
    }
    if (layers.mayBeIn(layer, domain)) return false;
    for (const to of this.neighbours.nearest) {
      if (layers.mayBeIn(layer, to) && decisions.handOff(slot, to)) return true;
    }
    return false;
  }

  private order(slot: Slot, layer: number): void {
    const { tasks, clock, layers, state } = this;
    const keepNs = (tasks.askFlags(slot) & WOKE) !== 0 ? this.sliceUs * 1000 : KEEP_AWAKE_NS;
    const own = layers.weight[layer];
    const weight = own === 0 ? tasks.weight(slot) : own;
    clock.arrive(slot, tasks.execSinceDecisionNs(slot), weight, state.boostNs[slot], keepNs);
    state.boostNs[slot] = layers.boostNs[layer];
    clock.keyInto(slot, this.domainClock.clockNs(), layers.laterNs[layer], this.keyNs);
  }

  protected decide(slot: Slot): void {
    const { layers, tasks } = this;
    // Rules with fewer layers may have come since it was enqueued.
    const named = this.state.layer[slot] | 0;
    const layer = named < layers.place.length ? named : 0;
    const sliceUs = layers.sliceUs[layer];
    const ask = tasks.askFlags(slot);
    const set = layers.cpus[layer];
    if (set.length !== 0) {
      this.decideCpu(slot, sliceUs, set, (ask & WOKE) !== 0);
      return;
    }
    if (this.leavesOrders) this.orders.keep(slot, ask, sliceUs, layers.laterNs[layer]);
    this.decisions.publish(slot, sliceUs, CPU_ANY, (ask & WOKE) !== 0 ? KEEP_KEY | MAY_PREEMPT : KEEP_KEY);
  }

  /**
   * One CPU of a set: where it ran last if that idles, else an idle one, else by turns. No standing order: it would name one
   * CPU for all wake-ups. O(CPUs of the set).
   */
  private decideCpu(slot: Slot, sliceUs: number, set: Uint16Array, woke: boolean): void {
    const { cpus } = this;
    const last = this.tasks.cpu(slot);
    this.nextCpu = this.nextCpu + 1 < set.length ? this.nextCpu + 1 : 0;
    let chosen = set[this.nextCpu];
    for (const cpu of set) {
      if (!cpus.isIdle(cpu)) continue;
      chosen = cpu;
      if (cpu === last) break;
    }
    // A named CPU is preempted whatever it runs.
    const isEarlier = woke && !cpus.isIdle(chosen) && cpus.keyNs(chosen) > this.keyNs[slot];
    this.decisions.publish(slot, sliceUs, chosen, isEarlier ? KEEP_KEY | MAY_PREEMPT : KEEP_KEY);
  }
}

export default definePolicy({
  name: 'layered',
  summary:
    'ordered rules on name, cgroup, user, nice and executable give weight, slice, offset, domains and CPUs',
  options,
  state: STATE,
  standing: 'own',
  create: (context) => new Layered(context),
});
