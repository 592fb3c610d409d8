import { mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { inboxBytes } from '../../src/handoff/inbox.js';
import { SimKernel, type SimOptions } from '../../src/kernel/sim.js';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from '../../src/kernel/sim-rings.js';
import layered from '../../src/policy/layered.js';
import { CgroupPaths } from '../../src/policy/layered/cgroup-paths.js';
import { RulesFile } from '../../src/policy/layered/rules-file.js';
import { parseOptions } from '../../src/policy/options.js';
import { stateBytes } from '../../src/policy/state.js';
import { domainPlace, writeU64 } from '../../src/shm/arena.js';
import { CPU, DECISION_FLAG, DOMAIN, LIMIT, ORDER, SLOT, TASK_FLAG } from '../../src/shm/layout.generated.js';
import { slot } from '../../src/shm/slot.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';

const MS = 1e6;
const SECOND = 1e9;
const SLICE_US = 5000;
const WOKE = TASK_FLAG.WAKEUP;

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'layered-'))));
afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
});

function kernelWith(settings: unknown, sim: Partial<SimOptions> = {}): SimKernel {
  const kernel = new SimKernel({ domains: [[0]], ...sim });
  const loop = new DomainLoop(kernel.arena, {
    domain: 0,
    policy: layered,
    ask: sim.askAlways === true ? 'always' : 'auto',
    sliceUs: SLICE_US,
    options: parseOptions(layered, settings),
  });
  kernel.attach(0, () => loop.batch());
  return kernel;
}

interface Asked {
  readonly comm?: string;
  readonly uid?: number;
  readonly nice?: number;
  readonly pid?: number;
  readonly tgid?: number;
  readonly cgroupId?: number;
  readonly identity?: number;
  readonly flags?: number;
  /** Bits. */
  readonly domains?: number;
  readonly ranNs?: number;
}

/** Two or more domains of two CPUs each, whose tasks the test shows and asks about by hand. */
function machine(settings: unknown, nrDomains = 1) {
  const arena = setUpSimMemory({
    domains: Array.from({ length: nrDomains }, (_, id) => ({ cpus: [2 * id, 2 * id + 1] })),
    nrSlots: 64,
    taskRingSize: 64,
    decisionRingSize: 64,
  });
  const { words } = arena;
  const stateMemory = new SharedArrayBuffer(stateBytes(layered.state, 64));
  const inboxMemory = new SharedArrayBuffer(inboxBytes(nrDomains));
  const domains = Array.from({ length: nrDomains }, (_, domain) => ({
    loop: new DomainLoop(arena, {
      domain,
      policy: layered,
      ask: 'auto',
      sliceUs: SLICE_US,
      options: parseOptions(layered, settings),
      stateMemory,
      inboxMemory,
    }),
    producer: new SimTaskProducer(arena, domain),
    consumer: new SimDecisionConsumer(arena, domain),
    clockWord: domainPlace(arena, domain).domainWord + DOMAIN.word.clockNs,
    ticksWord: domainPlace(arena, domain).domainWord + DOMAIN.word.ticks,
  }));
  for (const { clockWord } of domains) writeU64(words, clockWord, 100 * SECOND);

  const show = (which: number, asked: Asked): void => {
    const at = arena.slotsWord + which * SLOT.words;
    const set = (name: keyof typeof SLOT.word, value: number | undefined): void => {
      if (value !== undefined) words[at + SLOT.word[name]] = value;
    };
    words[at + SLOT.word.generation] ||= 1;
    words[at + SLOT.word.weight] ||= 100;
    words[at + SLOT.word.enq]++;
    set('pid', asked.pid ?? 1000 + which);
    set('tgid', asked.tgid ?? asked.pid ?? 1000 + which);
    set('uid', asked.uid);
    set('nice', asked.nice);
    set('identity', asked.identity);
    words[at + SLOT.word.allowedDomains] = asked.domains ?? 0xffffffff;
    writeU64(words, at + SLOT.word.execSinceDecisionNs, asked.ranNs ?? 0);
    if (asked.cgroupId !== undefined) writeU64(words, at + SLOT.word.cgroupId, asked.cgroupId);
    if (asked.comm === undefined) return;
    Buffer.from(words.buffer, at * 4 + SLOT.byte.comm, LIMIT.COMM_LEN)
      .fill(0)
      .write(asked.comm);
  };
  const push = (domain: number, which: number, asked: Asked): void => {
    show(which, asked);
    expect(domains[domain].producer.push(slot(which), asked.flags ?? 0)).toBe(true);
  };
  /** Lets all workers take turns and takes all decisions. */
  const settle = (): {
    domain: number;
    slot: number;
    sliceUs: number;
    cpu: number;
    keyNs: number;
    flags: number;
  }[] => {
    const taken = [];
    for (let turn = 0; turn < 4 * nrDomains; turn++) {
      for (const [domain, { loop, consumer }] of domains.entries()) {
        loop.batch();
        while (consumer.take()) {
          const { slot: which, sliceUs, cpu, flags } = consumer;
          if ((flags & DECISION_FLAG.WAKE_WORKER) !== 0) continue;
          taken.push({ domain, slot: which, sliceUs, cpu, keyNs: consumer.key[0], flags });
        }
      }
    }
    return taken;
  };
  return {
    words,
    arena,
    loops: domains.map(({ loop }) => loop),
    push,
    settle,
    /** Asks about one task and returns the decision. */
    ask: (which: number, asked: Asked, domain = 0) => {
      push(domain, which, asked);
      const taken = settle();
      expect(taken).toHaveLength(1);
      return taken[0];
    },
    tick: (): void => {
      for (const { ticksWord } of domains) words[ticksWord]++;
    },
    order: (which: number, name: keyof typeof ORDER.word): number =>
      words[arena.slotsWord + which * SLOT.words + SLOT.word.order + ORDER.word[name]],
  };
}

/** Layers told apart by their slices. */
const SLICES = { first: 1000, second: 2000, third: 3000 };

describe('layered', () => {
  it('gives a task what the first rule that matches says, and the default slice where none does', () => {
    const { ask } = machine({
      layers: [
        { match: { comm: 'cc1*', nice: [0, 19] }, sliceUs: SLICES.first },
        { match: [{ comm: 'cc1*' }, { uid: 7 }], sliceUs: SLICES.second },
        { match: { kind: 'thread' }, sliceUs: SLICES.third },
      ],
    });
    expect(ask(0, { comm: 'cc1plus' }).sliceUs).toBe(SLICES.first);
    expect(ask(1, { comm: 'cc1plus', nice: -5 }).sliceUs).toBe(SLICES.second);
    expect(ask(2, { comm: 'make', uid: 7 }).sliceUs).toBe(SLICES.second);
    expect(ask(3, { comm: 'make', tgid: 1 }).sliceUs).toBe(SLICES.third);
    expect(ask(4, { comm: 'make' }).sliceUs).toBe(SLICE_US);
  });

  it('matches a task anew when its identity changes, and only then', () => {
    const { ask } = machine({ layers: [{ match: { comm: 'a' }, sliceUs: SLICES.first }] });
    expect(ask(0, { comm: 'a', identity: 1 }).sliceUs).toBe(SLICES.first);
    expect(ask(0, { comm: 'b', identity: 1 }).sliceUs).toBe(SLICES.first);
    expect(ask(0, { comm: 'b', identity: 2 }).sliceUs).toBe(SLICE_US);
    expect(ask(0, { comm: 'a', identity: 3 }).sliceUs).toBe(SLICES.first);
  });

  it('ends the standing order of the old layer when a task gets another', () => {
    const { ask, order } = machine({ layers: [{ match: { comm: 'late' }, offsetUs: 50_000 }] });
    ask(0, { comm: 'late', identity: 1 });
    expect(order(0, 'offsetUs')).toBeGreaterThanOrEqual(50_000);
    ask(0, { comm: 'x', identity: 2 });
    expect(order(0, 'offsetUs')).toBeLessThan(50_000);
  });

  it('divides a CPU by the weights of the layers, within 5 percent, and by their own where a layer has none', () => {
    const kernel = kernelWith({
      layers: [
        { match: { comm: 'heavy' }, weight: 400 },
        { match: { comm: 'light' }, weight: 25 },
      ],
    });
    const given = { heavy: 400, light: 25, plain: 100 };
    const tasks = Object.keys(given).map((name) => kernel.spawn({ name, runNs: Infinity }));
    const own = kernel.spawn({ name: 'plain', runNs: Infinity, weight: 300 });
    kernel.run(60 * SECOND);
    const weights = [...Object.values(given), 300];
    const total = weights.reduce((a, b) => a + b);
    [...tasks, own].forEach((task, index) => {
      const ratio = task.cpuNs / (60 * SECOND) / (weights[index] / total);
      expect(ratio).toBeGreaterThan(0.95);
      expect(ratio).toBeLessThan(1.05);
    });
  });

  it('queues a layer with an offset earlier or later by it, asked or by its standing order', () => {
    const layers = [
      { match: { comm: 'early' }, offsetUs: -20_000 },
      { match: { comm: 'late' }, offsetUs: 30_000 },
    ];
    const { ask, order } = machine({ layers });
    const keys = ['early', 'plain', 'late'].map((comm, index) => ask(index, { comm, flags: WOKE }).keyNs);
    expect(keys[1] - keys[0]).toBe(20 * MS);
    expect(keys[2] - keys[1]).toBe(30 * MS);
    const offsets = [0, 1, 2].map((index) => order(index, 'offsetUs'));
    expect(offsets[1] - offsets[0]).toBe(20_000);
    expect(offsets[2] - offsets[1]).toBe(30_000);
  });

  it('lets an endless loop gain no more by its offset than the offset, once', () => {
    const kernel = kernelWith({ layers: [{ match: { comm: 'early' }, offsetUs: -500_000 }] });
    const early = kernel.spawn({ name: 'early', runNs: Infinity });
    const others = [0, 1, 2].map(() => kernel.spawn({ name: 'other', runNs: Infinity }));
    kernel.run(20 * SECOND);
    expect(early.cpuNs).toBeLessThan(5 * SECOND + 0.6 * SECOND);
    for (const other of others) expect(Math.max(...other.waitsNs)).toBeLessThan(0.6 * SECOND);
    for (const other of others) expect(other.cpuNs).toBeGreaterThan(4.75 * SECOND);
  });

  it('keeps all CPUs of a domain busy', () => {
    const kernel = kernelWith({ layers: [{ weight: 50 }] }, { domains: [[0, 1, 2, 3]] });
    const tasks = Array.from({ length: 9 }, () => kernel.spawn({ runNs: Infinity }));
    kernel.run(10 * SECOND);
    expect(tasks.reduce((sum, { cpuNs }) => sum + cpuNs, 0) / (40 * SECOND)).toBeGreaterThan(0.999);
  });
});

describe('a layer with domains', () => {
  it('hands its tasks over to the nearest of them that they may use, and leaves others where they are', () => {
    const { ask } = machine(
      { layers: [{ match: { comm: 'db' }, domains: [1, 2], sliceUs: SLICES.first }] },
      3,
    );
    expect(ask(0, { comm: 'db' })).toMatchObject({ domain: 1, sliceUs: SLICES.first });
    expect(ask(0, {}, 1)).toMatchObject({ domain: 1 });
    expect(ask(1, { comm: 'db', domains: 0b101 })).toMatchObject({ domain: 2 });
    expect(ask(2, { comm: 'db', domains: 0b001 })).toMatchObject({ domain: 0, sliceUs: SLICES.first });
    expect(ask(3, { comm: 'web' })).toMatchObject({ domain: 0 });
  });

  it('that is spread begins in each domain by turns, and is left alone afterwards', () => {
    const { ask } = machine({ layers: [{ match: { comm: 'web' }, domains: 'spread' }] }, 3);
    const begun = Array.from({ length: 9 }, (_, index) => ask(index, { comm: 'web' }).domain);
    expect(begun).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
    // Wherever it was moved since.
    for (const domain of [0, 1, 2]) expect(ask(1, {}, domain).domain).toBe(domain);
    expect(ask(20, { comm: 'web', domains: 0b100 }).domain).toBe(2);
  });

  it('charges a task that is handed over once, where it goes', () => {
    const { ask } = machine({ layers: [{ match: { comm: 'db' }, domains: [1] }] }, 2);
    const before = ask(0, { comm: 'db' }).keyNs;
    const after = ask(0, { ranNs: 50 * MS }).keyNs;
    // It was alone there, so the clock has followed to where it began.
    expect(after - before).toBe(45 * MS);
  });
});

describe('a layer with CPUs', () => {
  const settings = { layers: [{ match: { comm: 'rt' }, cpus: '1,3' }] };

  it('sends its tasks to those of its CPUs that this domain has, an idle one first', () => {
    const { ask, words, arena, order } = machine({ layers: [{ match: { comm: 'rt' }, cpus: '0-1' }] });
    const idle = (cpu: number): number => arena.cpusWord + cpu * CPU.words + CPU.word.idle;
    words[idle(1)] = 1;
    for (let count = 0; count < 4; count++) expect(ask(0, { comm: 'rt' }).cpu).toBe(1);
    words[idle(1)] = 0;
    expect([ask(0, {}).cpu, ask(0, {}).cpu].sort()).toEqual([0, 1]);
    expect(ask(1, { comm: 'x' }).cpu).toBe(LIMIT.CPU_ANY);
    expect(order(0, 'wakes')).toBe(0);
  });

  it('hands them over to a domain that has any', () => {
    const { ask } = machine({ layers: [{ match: { comm: 'rt' }, cpus: '2-3' }] }, 2);
    const { domain, cpu } = ask(0, { comm: 'rt' });
    expect(domain).toBe(1);
    expect([2, 3]).toContain(cpu);
  });

  it('preempts what runs there only when it is later', () => {
    const { ask, words, arena } = machine(settings);
    const keyWord = arena.cpusWord + CPU.words + CPU.word.keyNs;
    writeU64(words, keyWord, 101 * SECOND);
    expect(ask(0, { comm: 'rt', flags: WOKE })).toMatchObject({
      cpu: 1,
      flags: DECISION_FLAG.KEEP_KEY | DECISION_FLAG.PREEMPT,
    });
    writeU64(words, keyWord, 99 * SECOND);
    expect(ask(0, { comm: 'rt', flags: WOKE })).toMatchObject({ cpu: 1, flags: DECISION_FLAG.KEEP_KEY });
  });
});

describe('a rule on a path', () => {
  it('takes effect when the path has been found, in ticks, and never while a task waits', () => {
    const root = join(folder, 'cgroup');
    mkdirSync(join(root, 'user.slice/app.scope'), { recursive: true });
    const cgroupId = statSync(join(root, 'user.slice/app.scope')).ino;
    const { ask, settle, tick } = machine({
      cgroupRoot: root,
      layers: [
        { match: { cgroup: '/user.slice/*' }, sliceUs: SLICES.first },
        { match: { exec: readlinkSync('/proc/self/exe') }, sliceUs: SLICES.second },
      ],
    });
    const inGroup = { cgroupId, pid: process.pid, identity: 1 };
    const outside = { cgroupId: cgroupId + 1e6, pid: process.pid, identity: 1 };
    const gone = { cgroupId: cgroupId + 1e6, pid: 2 ** 30, identity: 1 };
    for (const [which, asked] of [inGroup, outside, gone].entries()) {
      expect(ask(which, asked).sliceUs).toBe(SLICE_US);
      expect(ask(which, asked).sliceUs).toBe(SLICE_US);
    }
    tick();
    settle();
    expect(ask(0, inGroup).sliceUs).toBe(SLICES.first);
    expect(ask(1, outside).sliceUs).toBe(SLICES.second);
    expect(ask(2, gone).sliceUs).toBe(SLICE_US);
  });

  it('walks the cgroups a few at a time, and again for one that is new', () => {
    for (let group = 0; group < 20; group++) mkdirSync(join(folder, `a${group}/b/c`), { recursive: true });
    const paths = new CgroupPaths(folder);
    const idOf = (path: string): number => statSync(join(folder, path)).ino;
    expect(paths.path(idOf('a7/b/c'))).toBeUndefined();
    let steps = 0;
    for (; paths.path(idOf('a7/b/c')) === undefined && steps < 100; steps++) paths.step(4, steps * 100);
    expect(paths.path(idOf('a7/b/c'))).toBe('/a7/b/c');
    expect(steps).toBeLessThanOrEqual(16);
    for (; steps < 20; steps++) paths.step(4, steps * 100);
    mkdirSync(join(folder, 'new'));
    expect(paths.path(idOf('new'))).toBeUndefined();
    for (; paths.path(idOf('new')) === undefined && steps < 100; steps++) paths.step(4, steps * 100);
    expect(paths.path(idOf('new'))).toBe('/new');
    expect(paths.path(idOf('a7/b/c'))).toBe('/a7/b/c');
    expect(paths.path(idOf('.'))).toBe('/');
  });
});

describe('the rules file', () => {
  const file = (): string => join(folder, 'rules.yaml');
  /** As an editor does it: a new file in the place of the old one. */
  const write = (text: string): void => {
    writeFileSync(`${file()}.new`, text);
    renameSync(`${file()}.new`, file());
  };

  it('is read again when it has changed, once a second at most, and no held task is lost', () => {
    let nowMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    write('layers: [{ match: { comm: a }, sliceUs: 1000 }]');
    const { ask, push, settle, tick } = machine({ file: file() });
    const at = (ms: number): void => {
      nowMs = ms;
      tick();
      settle();
    };
    expect(ask(0, { comm: 'a' }).sliceUs).toBe(1000);
    at(100);
    write('layers: [{ match: { comm: b } }, { match: { comm: a }, sliceUs: 2000 }]');
    at(900);
    expect(ask(0, { comm: 'a' }).sliceUs).toBe(1000);
    at(1100);
    expect(ask(0, { comm: 'a' }).sliceUs).toBe(2000);
    // In one batch with the tick, and to rules with fewer layers.
    write('layers: []');
    nowMs = 2200;
    for (let which = 0; which < 20; which++) push(0, which, { comm: 'a' });
    tick();
    expect(settle().map((decision) => decision.slot)).toEqual(
      Array.from({ length: 20 }, (_, which) => which),
    );
    expect(ask(0, { comm: 'a' }).sliceUs).toBe(SLICE_US);
  });

  it('that is not valid, or gone, leaves the old rules in place and is reported once', () => {
    write('layers: [{ sliceUs: 1000 }]');
    const reports: string[] = [];
    const rules = new RulesFile(file(), (message) => void reports.push(message));
    expect(rules.changed(0)).toBeUndefined();
    write('layers: [{ slice: 1000 }]');
    for (const nowMs of [1000, 2000, 3000]) expect(rules.changed(nowMs)).toBeUndefined();
    expect(reports).toEqual([
      `policy layered goes on with the old rules: ${file()}: layers.0: Unrecognized key: "slice"`,
    ]);
    rmSync(file());
    for (const nowMs of [4000, 5000]) expect(rules.changed(nowMs)).toBeUndefined();
    expect(reports).toHaveLength(2);
    expect(reports[1]).toContain('no such file');
    write('layers: [{ sliceUs: 3000 }]');
    expect(rules.changed(6000)).toMatchObject([{ sliceUs: 3000 }]);
    expect(rules.changed(7000)).toBeUndefined();
  });

  it('must be valid to begin with', () => {
    write('layers: [{ weight: 0 }]');
    expect(() => machine({ file: file() })).toThrow(`${file()}: layers.0.weight`);
    write('layers: [');
    expect(() => machine({ file: file() })).toThrow(file());
  });
});

describe('the options of layered', () => {
  it('refuse both kinds of rules at once, and what is no layer', () => {
    const refused = (given: unknown): string => {
      try {
        parseOptions(layered, given);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ file: 'x', layers: [] })).toBe('policy layered: options: give layers or file, not both');
    expect(refused({ layers: [{ cpus: '3-1' }] })).toBe('policy layered: layers.0.cpus: not a CPU list');
    expect(refused({ layers: [{ domains: [] }] })).toContain('layers.0.domains');
    expect(refused({ layers: [{ match: { comm: '/(/' } }] })).toContain('layers.0.match');
    expect(refused({ layers: [{ domains: 'spread', match: [{ comm: '*' }, { nice: [-20, -1] }] }] })).toBe(
      '',
    );
  });
});
