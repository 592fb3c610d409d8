/** What is to happen at some time of the simulated kernel's clock: a binary heap, first in time first out. */

interface SimEvent {
  readonly atNs: number;
  /** Events of one time happen in the order in which they were planned. */
  readonly serial: number;
  readonly action: () => void;
}

const isEarlier = (a: SimEvent, b: SimEvent): boolean =>
  a.atNs < b.atNs || (a.atNs === b.atNs && a.serial < b.serial);

/** SimEvents is a queue by time. push and pop are O(log events). */
export class SimEvents {
  private readonly heap: SimEvent[] = [];
  private serial = 0;

  /** Infinity when nothing is planned. */
  get nextNs(): number {
    return this.heap.length === 0 ? Infinity : this.heap[0].atNs;
  }

  push(atNs: number, action: () => void): void {
    const { heap } = this;
    const event = { atNs, serial: this.serial++, action };
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isEarlier(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  /** pop takes the next one; undefined when nothing is planned. */
  pop(): SimEvent | undefined {
    const { heap } = this;
    const first = heap.at(0);
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.sink(last);
    return first;
  }

  private sink(event: SimEvent): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isEarlier(heap[child + 1], heap[child])) child++;
      if (!isEarlier(heap[child], event)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = event;
  }
}
