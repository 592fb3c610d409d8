/** Random numbers that are the same in every run. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1. */
  word(): number;
  /** A whole number from 0 to limit - 1. */
  below(limit: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/** randomNumbers is mulberry32 from a seed: enough for tests, and repeatable. */
export function randomNumbers(seed: number): Random {
  let state = seed >>> 0;
  const word = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => Math.floor((word() / 2 ** 32) * limit);
  return { word, below, pick: (items) => items[below(items.length)] };
}

/** fuzzSeed is NODELAND_FUZZ_SEED, else another one in each run: whoever uses it says it when he fails. */
export function fuzzSeed(): number {
  return Number(process.env['NODELAND_FUZZ_SEED'] ?? Date.now() % 2 ** 32) >>> 0;
}
