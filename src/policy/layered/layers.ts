/** Layers made ready for the hot path: one array element for each layer and property. Layer 0 is for the rest. */
import type { CpuView } from '../../shm/cpu-view.js';
import { parseCpuList } from '../../topology/cpulist.js';
import { fingerprint } from '../lib/fingerprint.js';
import { TaskRules } from '../lib/task-rules.js';
import type { Layer } from './options.js';

/** PLACE says how a layer's tasks are placed. */
export const PLACE = { ANYWHERE: 0, CONFINED: 1, SPREAD: 2 } as const;

const NO_CPUS = new Uint16Array(0);
const WORD_BITS = 32;

/** Layers are the rules as one domain applies them. Made anew when the rules change. */
export class Layers {
  readonly rules: TaskRules;
  /** The same in every domain with the same rules. */
  readonly settings: number;
  /** 0: the task's own. */
  readonly weight: Float64Array;
  readonly sliceUs: Float64Array;
  /** How much later than by its vtime a task is queued: its offset, shifted so that none is below 0. */
  readonly laterNs: Float64Array;
  /** How much earlier than a task without an offset. */
  readonly boostNs: Float64Array;
  readonly place: Uint8Array;
  /** The CPUs of this domain that its tasks are sent to; empty: any. */
  readonly cpus: readonly Uint16Array[];
  /** Two words a layer: the domains its tasks may be in. */
  private readonly domains: Uint32Array;
  private readonly layerOfRule: readonly number[];

  constructor(layers: readonly Layer[], sliceUs: number, domain: number, cpus: CpuView) {
    const matches = layers.map(({ match }) => [match].flat());
    this.rules = new TaskRules(matches.flat());
    this.layerOfRule = matches.flatMap((each, index) => each.map(() => index + 1));
    this.settings = fingerprint(layers);
    const offsetsUs = [0, ...layers.map(({ offsetUs }) => offsetUs)];
    const earliestUs = Math.min(...offsetsUs);
    this.laterNs = Float64Array.from(offsetsUs, (offsetUs) => (offsetUs - earliestUs) * 1000);
    this.boostNs = Float64Array.from(offsetsUs, (offsetUs) => Math.max(0, -offsetUs) * 1000);
    this.weight = Float64Array.from([0, ...layers.map(({ weight = 0 }) => weight)]);
    this.sliceUs = Float64Array.from([sliceUs, ...layers.map((layer) => layer.sliceUs ?? sliceUs)]);
    const sets = layers.map((layer) => cpusOf(layer, cpus));
    this.cpus = [
      NO_CPUS,
      ...sets.map((set) => Uint16Array.from(set.filter((cpu) => cpus.domain(cpu) === domain))),
    ];
    this.place = new Uint8Array(layers.length + 1);
    this.domains = new Uint32Array(2 * (layers.length + 1));
    layers.forEach((layer, index) => {
      this.setPlace(index + 1, layer, new Set(sets[index].map((cpu) => cpus.domain(cpu))));
    });
  }

  private setPlace(index: number, { domains }: Layer, withCpus: ReadonlySet<number>): void {
    if (domains === 'spread') {
      this.place[index] = PLACE.SPREAD;
      return;
    }
    const wanted = domains ?? [...withCpus];
    const both = withCpus.size === 0 ? wanted : wanted.filter((domain) => withCpus.has(domain));
    if (both.length === 0) return;
    this.place[index] = PLACE.CONFINED;
    for (const domain of both) this.domains[2 * index + (domain >> 5)] |= 1 << (domain & (WORD_BITS - 1));
  }

  /** layerOf turns a rule's number into its layer's. */
  layerOf(rule: number): number {
    return rule < 0 ? 0 : this.layerOfRule[rule];
  }

  /** mayBeIn tells whether a confined layer's tasks may be in a domain. */
  mayBeIn(layer: number, domain: number): boolean {
    return ((this.domains[2 * layer + (domain >> 5)] >>> (domain & (WORD_BITS - 1))) & 1) !== 0;
  }
}

/** The layer's CPUs that this machine has. */
function cpusOf({ cpus: list }: Layer, cpus: CpuView): number[] {
  return list === undefined
    ? []
    : parseCpuList(list).filter((cpu) => cpu < cpus.nrCpus && cpus.isOnline(cpu));
}
