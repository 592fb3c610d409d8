/** The memory of policies' per-task state: one for all domains with the same policy. */
import type { PolicyDefinition } from '../policy/policy.js';
import { stateBytes } from '../policy/state.js';

interface Memory {
  readonly buffer: SharedArrayBuffer;
  readonly domains: Set<number>;
}

/**
 * StateMemories hands them out. A policy that no domain has any more is forgotten, so that what it left behind does not come
 * back with it. Main thread only.
 */
export class StateMemories {
  private readonly memories = new Map<string, Memory>();

  constructor(private readonly nrSlots: number) {}

  /**
   * memoryOf is the memory for a policy in a domain: that of other domains with a policy of this name and state, or of this one
   * before (a policy changed and loaded again), else a new one.
   */
  memoryOf(domain: number, { name, state }: PolicyDefinition): SharedArrayBuffer {
    const key = JSON.stringify([name, Object.entries(state).sort()]);
    const found = this.memories.get(key) ?? { buffer: this.make(state), domains: new Set() };
    found.domains.add(domain);
    this.memories.set(key, found);
    return found.buffer;
  }

  /** keepOnly lets go of a domain's memories but the one it uses. */
  keepOnly(domain: number, used: SharedArrayBuffer): void {
    for (const [key, { buffer, domains }] of this.memories) {
      if (buffer !== used) domains.delete(domain);
      if (domains.size === 0) this.memories.delete(key);
    }
  }

  private make(state: PolicyDefinition['state']): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(stateBytes(state, this.nrSlots));
    // Touches the pages, so that no worker's first look at a task faults.
    new Uint8Array(buffer).fill(0);
    return buffer;
  }
}
