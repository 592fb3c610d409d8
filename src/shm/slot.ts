declare const unit: unique symbol;

/** Slot is a task's index in the slot table. It stands for the task as long as a worker holds it. */
export type Slot = number & { readonly [unit]: 'Slot' };

/** slot names a number a slot. The caller knows that it is one; nothing is checked. */
export const slot = (value: number): Slot => value as Slot;
