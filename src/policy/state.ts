/**
 * Per-task state of a policy: one typed array for each declared field, indexed by slot. The arrays lie in shared memory
 * and all domains that run the same policy see the same ones, so a task's state goes with it to another domain: only the
 * worker that holds a task writes its state.
 */

/** StateKind is the type of one field of per-task state. */
export type StateKind = 'f64' | 'i32' | 'u32';

/** StateSpec declares per-task state: `{ vruntime: 'f64', burst: 'u32' }`. */
export type StateSpec = Readonly<Record<string, StateKind>>;

interface ArrayOf {
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
}

/** StateArrays are the declared fields, each an array indexed by slot. A new task's are 0. */
export type StateArrays<Spec extends StateSpec> = { readonly [Field in keyof Spec]: ArrayOf[Spec[Field]] };

const BYTES: Readonly<Record<StateKind, number>> = { f64: 8, i32: 4, u32: 4 };

/** stateBytes is how much memory the state of so many slots takes, the generations of their tasks included. */
export function stateBytes(spec: StateSpec, nrSlots: number): number {
  return Object.values(spec).reduce((sum, kind) => sum + nrSlots * BYTES[kind], nrSlots * 4);
}

/** TaskState is the state of all tasks under one policy, as one domain's worker sees it. */
export class TaskState {
  readonly arrays: StateArrays<StateSpec>;
  private readonly fields: readonly (Float64Array | Int32Array | Uint32Array)[];
  /** Of the task whose state this is, as 1 + generation; 0 where there has been none. */
  private readonly generations: Uint32Array;

  /** @throws RangeError when the memory is too small */
  constructor(
    spec: StateSpec,
    nrSlots: number,
    memory: ArrayBufferLike = new ArrayBuffer(stateBytes(spec, nrSlots)),
  ) {
    let at = 0;
    const arrays: Record<string, Float64Array | Int32Array | Uint32Array> = {};
    // The widest first, so that each begins where its kind may.
    for (const [name, kind] of Object.entries(spec).sort(([, a], [, b]) => BYTES[b] - BYTES[a])) {
      arrays[name] = arrayOf(kind, memory, at, nrSlots);
      at += nrSlots * BYTES[kind];
    }
    this.generations = new Uint32Array(memory, at, nrSlots);
    this.fields = Object.values(arrays);
    this.arrays = arrays;
    // Touches the pages, which a new buffer does not.
    for (let slot = 0; slot < nrSlots; slot++) this.generations[slot] |= 0;
  }

  /** begin makes the slot's state that of a task of this generation, and tells whether it was another's. O(fields). */
  begin(slot: number, generation: number): boolean {
    const { generations, fields } = this;
    const stamp = generation + 1;
    if (generations[slot] === stamp) return false;
    generations[slot] = stamp;
    for (const field of fields) field[slot] = 0;
    return true;
  }
}

function arrayOf(
  kind: StateKind,
  memory: ArrayBufferLike,
  at: number,
  nrSlots: number,
): Float64Array | Int32Array | Uint32Array {
  switch (kind) {
    case 'f64':
      return new Float64Array(memory, at, nrSlots);
    case 'i32':
      return new Int32Array(memory, at, nrSlots);
    case 'u32':
      return new Uint32Array(memory, at, nrSlots);
  }
}
