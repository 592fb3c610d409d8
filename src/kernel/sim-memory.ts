/** Sets up the shared memory as the kernel side does, in an ordinary buffer: for simulation, warm-up and tests. */
import { type Arena, openArena } from '../shm/arena.js';
import { CPU, DECISION, DOMAIN, HEADER, LIMIT, SLOT, TASK_ENTRY } from '../shm/layout.generated.js';

export interface SimDomainPlan {
  /** CPU numbers of the domain. */
  readonly cpus: readonly number[];
}

export interface SimMemoryPlan {
  readonly domains: readonly SimDomainPlan[];
  readonly nrSlots: number;
  /** Entries, a power of two. */
  readonly taskRingSize: number;
  readonly decisionRingSize: number;
  /** Where the ring positions start (u32), to test wrap-around. */
  readonly firstPosition?: number;
}

interface Places {
  slots: number;
  cpus: number;
  domains: { block: number; taskRing: number; decisionRing: number }[];
  nrCpus: number;
  size: number;
}

function planPlaces(plan: SimMemoryPlan): Places {
  const nrCpus = 1 + Math.max(...plan.domains.flatMap(({ cpus }) => cpus));
  let end = LIMIT.PAGE_SIZE;
  const take = (bytes: number): number => {
    const at = end;
    end = Math.ceil((end + bytes) / LIMIT.PAGE_SIZE) * LIMIT.PAGE_SIZE;
    return at;
  };
  const slots = take(plan.nrSlots * SLOT.bytes);
  const cpus = take(nrCpus * CPU.bytes);
  const domains = plan.domains.map(() => ({
    block: take(DOMAIN.bytes),
    taskRing: take(plan.taskRingSize * TASK_ENTRY.bytes),
    decisionRing: take(plan.decisionRingSize * DECISION.bytes),
  }));
  return { slots, cpus, domains, nrCpus, size: end };
}

/** setUpSimMemory fills the memory in and opens it. */
export function setUpSimMemory(plan: SimMemoryPlan): Arena {
  const places = planPlaces(plan);
  const buffer = new ArrayBuffer(places.size);
  const words = new Uint32Array(buffer);
  const header = HEADER.word;
  words[header.magic] = LIMIT.ABI_MAGIC;
  words[header.nrCpus] = places.nrCpus;
  words[header.nrDomains] = plan.domains.length;
  words[header.nrSlots] = plan.nrSlots;
  words[header.slotsOff] = places.slots;
  words[header.cpusOff] = places.cpus;
  words[header.sizeBytes] = places.size;
  plan.domains.forEach(({ cpus }, id) => {
    const place = places.domains[id];
    words[header.domainOff + id] = place.block;
    setUpDomain(words, plan, id, place, cpus.length);
    for (const cpu of cpus) {
      const at = (places.cpus + cpu * CPU.bytes) / 4;
      words[at + CPU.word.domain] = id;
      words[at + CPU.word.online] = 1;
      words[at + CPU.word.slot] = LIMIT.NO_SLOT;
    }
  });
  return openArena(buffer);
}

function setUpDomain(
  words: Uint32Array,
  plan: SimMemoryPlan,
  id: number,
  place: Places['domains'][number],
  nrCpus: number,
): void {
  const at = place.block / 4;
  const first = plan.firstPosition ?? 0;
  const word = DOMAIN.word;
  words[at + word.id] = id;
  words[at + word.nrCpus] = nrCpus;
  words[at + word.taskRingOff] = place.taskRing;
  words[at + word.taskRingSize] = plan.taskRingSize;
  words[at + word.decisionRingOff] = place.decisionRing;
  words[at + word.decisionRingSize] = plan.decisionRingSize;
  for (const position of [
    word.taskHead,
    word.taskHeadSeen,
    word.taskTail,
    word.decisionHead,
    word.decisionTail,
  ]) {
    words[at + position] = first;
  }
  // As if every entry had been used in the lap before.
  for (let lap = first - plan.decisionRingSize; lap < first; lap++) {
    const entry = place.decisionRing / 4 + (lap & (plan.decisionRingSize - 1)) * DECISION.words;
    words[entry + DECISION.word.seq] = lap + 1;
  }
  for (let lap = first - plan.taskRingSize; lap < first; lap++) {
    const entry = place.taskRing / 4 + (lap & (plan.taskRingSize - 1)) * TASK_ENTRY.words;
    words[entry + TASK_ENTRY.word.seq] = lap + 1;
  }
}
