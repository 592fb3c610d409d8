/**
 * The shared memory as a whole: one ArrayBuffer over the arena, one Uint32Array over that. 64-bit values are two
 * words everywhere, so that every hot function sees one kind of view only (mixing kinds costs 2 to 4 times).
 */
import { DOMAIN, HEADER, LIMIT, SLOT, CPU, DECISION, TASK_ENTRY } from './layout.generated.js';

const HIGH = 2 ** 32;

/** ArenaError: the memory does not hold what nl_header says it should. */
export class ArenaError extends Error {
  override name = 'ArenaError';
}

/** DomainPlace says where one domain's parts lie. All `Word` values are indices into {@link Arena.words}. */
export interface DomainPlace {
  readonly id: number;
  readonly domainWord: number;
  readonly taskRingWord: number;
  readonly taskRingSize: number;
  readonly decisionRingWord: number;
  readonly decisionRingSize: number;
  readonly nrCpus: number;
}

/** Arena is the mapped memory with the places read from its header. Fixed after set-up, so safe to keep. */
export interface Arena {
  readonly words: Uint32Array;
  /**
   * The same words, for atomic loads of positions only: the result of Atomics.load on a Uint32Array is boxed from 2^31 on.
   */
  readonly signedWords: Int32Array;
  readonly nrSlots: number;
  readonly nrCpus: number;
  readonly nrDomains: number;
  readonly slotsWord: number;
  readonly cpusWord: number;
}

/**
 * openArena looks at mapped memory and checks its header.
 *
 * @throws ArenaError when the memory is not set up or its header does not fit its size.
 */
export function openArena(buffer: ArrayBufferLike): Arena {
  const words = new Uint32Array(buffer);
  const field = (name: keyof typeof HEADER.word): number => words[HEADER.word[name]];
  if (words.length < HEADER.words || field('magic') !== LIMIT.ABI_MAGIC) {
    throw new ArenaError('the shared memory is not set up: no magic number in its first page');
  }
  const nrSlots = field('nrSlots');
  const nrCpus = field('nrCpus');
  const nrDomains = field('nrDomains');
  if (nrSlots > LIMIT.MAX_SLOTS || nrCpus > LIMIT.MAX_CPUS || nrDomains > LIMIT.MAX_DOMAINS) {
    throw new ArenaError(`the shared memory's header is out of range: ${nrSlots} slots, ${nrCpus} CPUs`);
  }
  const slotsWord = placeOf('slot table', words, field('slotsOff'), nrSlots * SLOT.words);
  const cpusWord = placeOf('CPU table', words, field('cpusOff'), nrCpus * CPU.words);
  return { words, signedWords: new Int32Array(buffer), nrSlots, nrCpus, nrDomains, slotsWord, cpusWord };
}

/** arenaSizeBytes reads from the header's bytes how much of the arena is in use. */
export function arenaSizeBytes(header: ArrayBufferLike): number {
  return new Uint32Array(header)[HEADER.word.sizeBytes];
}

/**
 * domainPlace finds one domain's block and rings.
 *
 * @throws ArenaError when there is no such domain or its rings do not fit the memory.
 */
export function domainPlace(arena: Arena, id: number): DomainPlace {
  if (id < 0 || id >= arena.nrDomains) throw new ArenaError(`no domain ${id}: there are ${arena.nrDomains}`);
  const { words } = arena;
  const domainWord = placeOf(`domain ${id}`, words, words[HEADER.word.domainOff + id], DOMAIN.words);
  const field = (name: keyof typeof DOMAIN.word): number => words[domainWord + DOMAIN.word[name]];
  const taskRingSize = ringSize(field('taskRingSize'), 'task ring');
  const decisionRingSize = ringSize(field('decisionRingSize'), 'decision ring');
  return {
    id,
    domainWord,
    taskRingSize,
    decisionRingSize,
    taskRingWord: placeOf('task ring', words, field('taskRingOff'), taskRingSize * TASK_ENTRY.words),
    decisionRingWord: placeOf(
      'decision ring',
      words,
      field('decisionRingOff'),
      decisionRingSize * DECISION.words,
    ),
    nrCpus: field('nrCpus'),
  };
}

function ringSize(size: number, what: string): number {
  if (size < 2 || size > 1 << 24 || (size & (size - 1)) !== 0) {
    throw new ArenaError(`${what}: ${size} entries is not a power of two`);
  }
  return size;
}

function placeOf(what: string, words: Uint32Array, offsetBytes: number, lengthWords: number): number {
  const word = offsetBytes / 4;
  if (offsetBytes === 0 || offsetBytes % 4 !== 0 || word + lengthWords > words.length) {
    throw new ArenaError(
      `the ${what} at byte ${offsetBytes} does not fit ${words.length * 4} bytes of memory`,
    );
  }
  return word;
}

/** readU64 reads two words as one number, exact to 2^53. The writer must not be changing it. */
export function readU64(words: Uint32Array, word: number): number {
  return words[word] + words[word + 1] * HIGH;
}

/** writeU64 writes a whole number below 2^53 as two words. */
export function writeU64(words: Uint32Array, word: number, value: number): void {
  words[word] = value;
  words[word + 1] = value / HIGH;
}

/** addU64 adds a number below 2^31 to a 64-bit counter that only the caller writes. */
export function addU64(words: Uint32Array, word: number, amount: number): void {
  const sum = words[word] + amount;
  words[word] = sum;
  if (sum >= HIGH) words[word + 1]++;
}

/**
 * touchPages reads a word of every page, so that the first use of one does not fault in the hot path.
 *
 * @returns the xor of those words, which keeps the reading from being optimised away.
 */
export function touchPages(arena: Arena): number {
  const step = LIMIT.PAGE_SIZE / 4;
  let mixed = 0;
  for (let word = 0; word < arena.words.length; word += step) mixed ^= arena.words[word];
  return mixed;
}
