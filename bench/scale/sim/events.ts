/** What happens next: a binary heap of events in typed arrays. Events of one moment come in the order they were made. */

const INITIAL_EVENTS = 4096;

/** EventQueue holds events: a kind, a subject (CPU, shard, task) and when. */
export class EventQueue {
  /** Of the event that {@link next} took. */
  timeNs = 0;
  kind = 0;
  subject = 0;

  private size = 0;
  private made = 0;
  private times = new Float64Array(INITIAL_EVENTS);
  private orders = new Float64Array(INITIAL_EVENTS);
  private kinds = new Uint8Array(INITIAL_EVENTS);
  private subjects = new Int32Array(INITIAL_EVENTS);

  get length(): number {
    return this.size;
  }

  /** add makes an event happen at a time, not before the last one taken. O(log n). */
  add(timeNs: number, kind: number, subject: number): void {
    if (this.size === this.times.length) this.grow();
    const order = this.made++;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(timeNs, order, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, timeNs, order, kind, subject);
  }

  /** next takes the earliest event into the fields; false when there is none. O(log n). */
  next(): boolean {
    if (this.size === 0) return false;
    this.timeNs = this.times[0];
    this.kind = this.kinds[0];
    this.subject = this.subjects[0];
    const last = --this.size;
    const [timeNs, order] = [this.times[last], this.orders[last]];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.isBefore(this.times[child + 1], this.orders[child + 1], child)) child++;
      if (this.isBefore(timeNs, order, child)) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, timeNs, order, this.kinds[last], this.subjects[last]);
    return true;
  }

  private isBefore(timeNs: number, order: number, other: number): boolean {
    const otherNs = this.times[other];
    return timeNs < otherNs || (timeNs === otherNs && order < this.orders[other]);
  }

  private put(at: number, timeNs: number, order: number, kind: number, subject: number): void {
    this.times[at] = timeNs;
    this.orders[at] = order;
    this.kinds[at] = kind;
    this.subjects[at] = subject;
  }

  private move(from: number, to: number): void {
    this.put(to, this.times[from], this.orders[from], this.kinds[from], this.subjects[from]);
  }

  private grow(): void {
    const size = 2 * this.times.length;
    const grown = <T extends Float64Array | Uint8Array | Int32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.times = grown(this.times, new Float64Array(size));
    this.orders = grown(this.orders, new Float64Array(size));
    this.kinds = grown(this.kinds, new Uint8Array(size));
    this.subjects = grown(this.subjects, new Int32Array(size));
  }
}
