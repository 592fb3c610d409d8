/** Part (a): the cores there are. Every round does each arrangement and each step once, in turn. */
import type { NativeAddon } from '../../src/kernel/native-addon.js';
import { figure, type Measurement, ratioFigure, type Result } from '../lab/result.js';
import { HandOffPair } from '../hand-off.js';
import type { PartTimes } from '../scale-worker.js';
import { arrangements, Crew, decisionsPerSecond, handInTurns } from './cores.js';
import { predictFed, predictSelfFed, type RoundSteps } from './predict.js';
import { costsFrom, type ServiceCosts } from './sim/costs.js';

/** Tasks per push and drain of arrangements: enough that entering the kernel is a small part. */
const BATCH_TASKS = 512;
/** Of the steps by themselves: a full batch of the worker's, and one that shows what a batch costs beside its tasks. */
const FULL_BATCH = 128;
const SMALL_BATCH = 16;

/** Names of what part (b) reads back from the result. */
const STEP_NAMES: Readonly<Record<keyof RoundSteps, string>> = {
  alonePush: 'alone: push',
  aloneDecide: 'alone: decide',
  aloneDrain: 'alone: drain',
  aloneEntry: 'alone: entering the kernel',
  apartPush: 'apart: push',
  apartDecide: 'apart: decide',
  apartDrain: 'apart: drain',
  apartBatch: 'apart: a batch beside its tasks',
  line: 'a word from core to core',
  handOff: 'hand-off in batches of 128',
};

/** CoresOptions say how much part (a) does. */
export interface CoresOptions {
  readonly cpus: readonly number[];
  readonly rounds: number;
  readonly durationMs: number;
  readonly say: (line: string) => void;
}

/** measureCores needs two CPUs at least. */
export async function measureCores(native: NativeAddon, options: CoresOptions): Promise<Measurement> {
  const { cpus, rounds, durationMs, say } = options;
  const [first, second] = cpus;
  const plans = arrangements(cpus);
  say('starting and warming up the threads');
  const open: { close(): Promise<void> }[] = [];
  const opened = async <T extends { close(): Promise<void> }>(making: Promise<T>): Promise<T> => {
    const made = await making;
    open.push(made);
    return made;
  };
  const rates = new Map<string, number[]>();
  const steps: RoundSteps[] = [];
  try {
    const crews: Crew[] = [];
    for (const { parts } of plans) crews.push(await opened(Crew.start(native, parts, BATCH_TASKS)));
    const full = await opened(Crew.start(native, handInTurns([first, second]), FULL_BATCH));
    const small = await opened(Crew.start(native, handInTurns([first, second]), SMALL_BATCH));
    const pair = await opened(HandOffPair.start(first, second));
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? 'first round, not counted' : `round ${round} of ${rounds}`);
      const times = new Map<string, PartTimes[]>();
      for (const [index, { name }] of plans.entries()) times.set(name, await crews[index].round(durationMs));
      const measured = await stepsOnce(times, { full, small, pair }, durationMs);
      if (round === 0) continue;
      steps.push(measured);
      for (const [name, parts] of times)
        rates.set(name, [...(rates.get(name) ?? []), decisionsPerSecond(parts)]);
    }
  } finally {
    for (const one of open) await one.close();
  }
  return {
    benchmark: 'scale-cores',
    settings: { rounds, durationMs, cpus: cpus.length, batch: BATCH_TASKS, policy: 'fifo' },
    figures: [
      ...[...rates].map(([name, values]) => figure(name, 'decisions per second', values, 'higher')),
      ...(Object.entries(STEP_NAMES) as [keyof RoundSteps, string][]).map(([step, name]) =>
        figure(
          name,
          'ns',
          steps.map((round) => round[step]),
        ),
      ),
      ...predictions(rates, steps),
    ],
  };
}

interface Steppers {
  readonly full: Crew;
  readonly small: Crew;
  readonly pair: HandOffPair;
}

/** Pushing and draining apart are timed beside a worker that decides meanwhile: it reads the lines that are written. */
async function stepsOnce(
  times: ReadonlyMap<string, readonly PartTimes[]>,
  { full, small, pair }: Steppers,
  durationMs: number,
): Promise<RoundSteps> {
  const self = times.get('1 worker, self-fed')?.at(0);
  const fed = times.get('1 worker, 1 feeder')?.at(1);
  if (self === undefined || fed === undefined) throw new RangeError('an arrangement is missing');
  const [, fullTake] = await full.round(durationMs);
  const [, smallTake] = await small.round(durationMs);
  const [fullNs, smallNs] = [fullTake.decide * FULL_BATCH, smallTake.decide * SMALL_BATCH];
  const perTask = (fullNs - smallNs) / (FULL_BATCH - SMALL_BATCH);
  return {
    alonePush: self.push,
    aloneDecide: self.decide,
    aloneDrain: self.drain,
    aloneEntry: self.total - self.push - self.decide - self.drain,
    apartPush: fed.push,
    apartDecide: perTask,
    apartDrain: fed.drain,
    apartBatch: Math.max(0, smallNs - SMALL_BATCH * perTask),
    line: await pair.oneWayNs('word'),
    handOff: await pair.recordNs('inbox', 128),
  };
}

/** What the simulation makes of each round's steps, against what that round's arrangements did. */
function predictions(
  rates: ReadonlyMap<string, readonly number[]>,
  steps: readonly RoundSteps[],
): Measurement['figures'] {
  const against = (name: string, predict: (round: RoundSteps) => number): Measurement['figures'] => {
    const measured = rates.get(name);
    if (measured === undefined) return [];
    return [
      ratioFigure(`simulated / measured: ${name}`, [
        steps.map((round, index) => predict(round) / measured[index]),
      ]),
    ];
  };
  return [
    ...against('1 worker, self-fed', (round) => predictSelfFed(round, 1, BATCH_TASKS)),
    ...against('2 workers, self-fed', (round) => predictSelfFed(round, 2, BATCH_TASKS)),
    ...against('1 worker, 1 feeder', (round) => predictFed(round, BATCH_TASKS)),
  ];
}

/** costsOf reads part (a)'s medians back. @throws RangeError when the result has not all of them */
export function costsOf(result: Result): ServiceCosts {
  const at = (step: keyof RoundSteps): number => {
    const found = result.figures.find(({ name }) => name === STEP_NAMES[step]);
    if (found === undefined) throw new RangeError(`no figure "${STEP_NAMES[step]}"`);
    return found.median;
  };
  const alone = { push: at('alonePush'), decide: at('aloneDecide'), drain: at('aloneDrain'), batch: 0 };
  const apart = {
    push: at('apartPush'),
    decide: at('apartDecide'),
    drain: at('apartDrain'),
    batch: at('apartBatch'),
  };
  return costsFrom(alone, apart, at('line'), at('handOff'));
}
