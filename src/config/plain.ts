/** Values that a file, a command line and a socket can all say, and that can be copied to another thread. */

const DEEPEST = 32;
/** Lists and maps. */
const MOST_VALUES = 4000;

/** isPlainMap tells a map from the sets, dates and bytes that a file can also hold. */
export function isPlainMap(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** isPlainValue tells whether a value is made of texts, finite numbers, truth values, nothing, lists and maps, not too many. */
export function isPlainValue(value: unknown): boolean {
  return isPlain(value, 0, { left: MOST_VALUES });
}

function isPlain(value: unknown, depth: number, budget: { left: number }): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  // A map or list may hold itself, and more than once.
  if (depth > DEEPEST || --budget.left < 0) return false;
  // Every place of a list with holes is looked at.
  if (Array.isArray(value)) return Array.from(value).every((each) => isPlain(each, depth + 1, budget));
  return (
    isPlainMap(value) &&
    !Object.hasOwn(value, '__proto__') &&
    Object.getOwnPropertySymbols(value).length === 0 &&
    Object.values(value).every((each) => isPlain(each, depth + 1, budget))
  );
}
