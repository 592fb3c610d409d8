import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotFifo } from '../../src/policy/queues/slot-fifo.js';
import { SlotHeap } from '../../src/policy/queues/slot-heap.js';
import { slot } from '../../src/shm/slot.js';

const SLOTS = 32;
/** A push names a slot and a key; a pop is null. */
const steps = fc.array(
  fc.option(
    fc.record({
      slot: fc.nat(SLOTS - 1),
      key: fc.oneof(fc.nat(5), fc.double({ min: 0, max: 2 ** 53, noNaN: true })),
    }),
    {
      freq: 2,
    },
  ),
  { maxLength: 300 },
);

describe('SlotHeap', () => {
  it('gives back every slot once, earliest key first, equal keys in order of arrival', () => {
    fc.assert(
      fc.property(steps, (operations) => {
        const keyOf = new Float64Array(SLOTS);
        const heap = new SlotHeap(SLOTS, keyOf);
        const model: { slot: number; key: number; arrival: number }[] = [];
        operations.forEach((operation, arrival) => {
          if (operation !== null) {
            if (model.some((entry) => entry.slot === operation.slot)) return;
            keyOf[operation.slot] = operation.key;
            heap.push(slot(operation.slot));
            model.push({ ...operation, arrival });
          } else if (model.length > 0) {
            model.sort((a, b) => a.key - b.key || a.arrival - b.arrival);
            expect(heap.pop()).toBe(model.shift()!.slot);
          }
          expect(heap.size).toBe(model.length);
        });
        const rest = Array.from({ length: heap.size }, (_, index) => Number(heap.at(index)));
        expect(rest.sort((a, b) => a - b)).toEqual(model.map((entry) => entry.slot).sort((a, b) => a - b));
        heap.clear();
        expect(heap.size).toBe(0);
      }),
    );
  });

  it('holds as many as there are slots', () => {
    const keyOf = Float64Array.from({ length: SLOTS }, (_, index) => (index * 7) % SLOTS);
    const heap = new SlotHeap(SLOTS, keyOf);
    for (let index = 0; index < SLOTS; index++) heap.push(slot(index));
    const keys = Array.from({ length: SLOTS }, () => keyOf[heap.pop()]);
    expect(keys).toEqual(Array.from({ length: SLOTS }, (_, index) => index));
  });
});

describe('SlotFifo', () => {
  it('gives back every slot once, in order of arrival, full or empty', () => {
    fc.assert(
      fc.property(steps, (operations) => {
        const fifo = new SlotFifo(SLOTS);
        const model: number[] = [];
        for (const operation of operations) {
          if (operation !== null) {
            if (model.includes(operation.slot)) continue;
            fifo.push(slot(operation.slot));
            model.push(operation.slot);
          } else if (model.length > 0) {
            expect(fifo.shift()).toBe(model.shift());
          }
          expect(fifo.size).toBe(model.length);
        }
      }),
    );
  });
});
