/** Fifo is a queue of whole numbers that grows as it must. */
export class Fifo {
  private items = new Int32Array(64);
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(item: number): void {
    const { items, count } = this;
    if (count === items.length) {
      const grown = new Int32Array(2 * count);
      for (let index = 0; index < count; index++) grown[index] = items[(this.head + index) % count];
      this.items = grown;
      this.head = 0;
    }
    this.items[(this.head + this.count++) & (this.items.length - 1)] = item;
  }

  /** shift takes the oldest. Only of a queue that has one. */
  shift(): number {
    const item = this.items[this.head];
    this.head = (this.head + 1) & (this.items.length - 1);
    this.count--;
    return item;
  }
}
