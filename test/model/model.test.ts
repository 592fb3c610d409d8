/**
 * Every interleaving of the models, within their bounds. README.md tells what they cover. NODELAND_MODEL=large adds the
 * bounds that take minutes.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { search, whyNoSpin } from './pan.js';

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const isLarge = process.env['NODELAND_MODEL'] === 'large';

interface Model {
  readonly file: string;
  /** What of the sources it stands for. Each must be there, and be named in the model. */
  readonly standsFor: Readonly<Record<string, readonly string[]>>;
  /** How many numbered steps the protocol at the head of a source has. */
  readonly steps: Readonly<Record<string, number>>;
  readonly holds: readonly string[];
  readonly holdsLarge: readonly string[];
  /** Definitions that leave out a step, and what that must break. */
  readonly breaks: readonly (readonly [definitions: string, violation: RegExp])[];
}

const WAITS_FOR_EVER = /^invalid end state/;
const OTHER_TASK = /^assertion violated .*(asker|tc_generation)/;
const OTHER_WAIT = /^assertion violated .*claimed_wait/;

const models: readonly Model[] = [
  {
    file: 'task-ring.pml',
    standsFor: {
      'bpf/rings.h': ['task_ring_push'],
      'src/shm/task-ring.ts': ['committed', 'take', 'release', 'constructor'],
    },
    steps: { 'bpf/rings.h': 5, 'src/shm/task-ring.ts': 8 },
    holds: ['PRODUCERS=2 PUSHES=3', 'PRODUCERS=3 PUSHES=1 SIZE=8'],
    holdsLarge: ['PRODUCERS=2 PUSHES=4'],
    breaks: [
      ['NO_MARGIN', /assertion violated .*task_head/],
      ['NO_FETCH_ADD', /assertion violated/],
      ['SEQ_FIRST', /assertion violated .*read\[from\]/],
      ['HEAD_FIRST', /assertion violated/],
      ['NO_SEQ', /assertion violated .*read\[from\]/],
    ],
  },
  {
    file: 'decision-ring.pml',
    standsFor: {
      'bpf/rings.h': ['decision_ring_take'],
      'src/shm/decision-ring.ts': ['room', 'open', 'put', 'publish', 'constructor', 'follow'],
    },
    steps: { 'src/shm/decision-ring.ts': 6 },
    holds: ['SIZE=2 TAKE=2 DECISIONS=6', 'SIZE=4 TAKE=3 DECISIONS=5'],
    holdsLarge: ['CONSUMERS=3 SIZE=2 DECISIONS=4'],
    breaks: [
      ['NO_CAS', /assertion violated .*applied/],
      ['NO_ROOM', /assertion violated/],
      ['SEQ_FIRST', /assertion violated .*word\[i\]/],
      ['COPY_LAST', /assertion violated .*word\[i\]/],
      ['NO_TAKING_BACK', /assertion violated .*nr_published/],
    ],
  },
  {
    file: 'inbox.pml',
    standsFor: {
      'src/handoff/inbox.ts': [
        'room',
        'reserve',
        'put',
        'commit',
        'take',
        'release',
        'passOver',
        'constructor',
      ],
    },
    steps: { 'src/handoff/inbox.ts': 7 },
    holds: ['SIZE=2 RECORDS=3', 'SIZE=2 RECORDS=4 DEATHS=0'],
    holdsLarge: ['SIZE=4 RECORDS=3', 'SENDERS=3 RECORDS=2'],
    breaks: [
      ['NO_CAS', /assertion violated .*word/],
      ['NO_ROOM', WAITS_FOR_EVER],
      ['SEQ_FIRST', /assertion violated .*word/],
      ['FIRST_FIRST', /assertion violated .*sent\[word\]/],
      ['RELEASE_FIRST', /assertion violated .*word/],
      ['NO_PASSING', WAITS_FOR_EVER],
    ],
  },
  {
    file: 'task-life.pml',
    standsFor: {
      'bpf/nodeland.bpf.c': [
        ...['nodeland_init_task', 'nodeland_enqueue', 'ask', 'nodeland_dequeue', 'nodeland_exit_task'],
        ...['nodeland_dispatch', 'nl_register_worker', 'worker_gone'],
      ],
      'bpf/wait.h': ['wait_open', 'wait_claim', 'wait_close'],
      'bpf/dispatch.h': ['drain_decisions', 'decision_apply', 'inherit'],
      'bpf/rescue.h': ['overdue_scan', 'rescue', 'rescue_task'],
      'bpf/watch.h': ['watch_worker'],
      'bpf/task.h': ['slot_alloc'],
      'src/worker/domain-loop.ts': ['batch'],
    },
    steps: { 'bpf/wait.h': 3, 'bpf/dispatch.h': 3, 'bpf/rescue.h': 3, 'src/worker/domain-loop.ts': 6 },
    holds: [
      'FULL=1 EXECS=1',
      'DEATHS=1',
      'FORGETS=1 FLIPS=1',
      'DEATHS=1 FORGETS=1 STAYS_DEAD',
      'DEATHS=1 FLIPS=1 FULL=1 EXECS=1 CPUS=1',
      'TASKS=2 WAITS=1',
      'TASKS=2 WAITS=1 PID_EARLY',
      'TASKS=2 WAITS=1 DEATHS=1 FULL=1 EXECS=1 CPUS=1',
      'TASKS=2 SLOTS=2 WAITS=1 CPUS=1',
      'OWN_WAIT',
      'OWN_WAIT FULL=1',
    ],
    holdsLarge: [
      'DEATHS=1 FULL=1 EXECS=1',
      'TASKS=2 WAITS=1 FLIPS=1',
      'TASKS=2 SLOTS=2 WAITS=1 CPUS=1 DEATHS=1',
      'OWN_WAIT DEATHS=1 FULL=1',
    ],
    breaks: [
      ['NO_CLAIM', WAITS_FOR_EVER],
      ['CLAIMS_ANY', WAITS_FOR_EVER],
      ['TASKS=2 WAITS=1 ENQ_FROM_ZERO', OTHER_TASK],
      ['DEATHS=1 NO_RESCUE', WAITS_FOR_EVER],
      ['DEATHS=1 STAYS_DEAD BY_OWNER', WAITS_FOR_EVER],
      ['EXECS=1 OLD_PID', WAITS_FOR_EVER],
      ['DEATHS=1 BY_DOMAIN', WAITS_FOR_EVER],
      ['FORGETS=1 BY_DOMAIN', WAITS_FOR_EVER],
      ['OWN_WAIT NO_RECHECK', OTHER_WAIT],
      ['OWN_WAIT SAME_ENQ', OTHER_WAIT],
      ['OWN_WAIT FULL=1 FULL_SAME_ENQ', OTHER_WAIT],
    ],
  },
];

const definitionsOf = (words: string): readonly string[] => words.split(' ');

describe.each(models)('$file', ({ file, standsFor, steps, holds, holdsLarge, breaks }) => {
  it('names functions and steps that the sources have', () => {
    const model = readFileSync(pathOf(file), 'utf8');
    for (const [source, names] of Object.entries(standsFor)) {
      const text = readFileSync(pathOf(`../../${source}`), 'utf8');
      for (const name of names) {
        // A C function, a callback in BPF_PROG(name, ...), or a method.
        expect(text, `${source}: ${name}`).toMatch(new RegExp(`\\b${name}\\(|\\(${name}[,)]`));
        expect(model).toMatch(new RegExp(`\\b${name}\\b`));
      }
      expect(model, source).toContain(source);
    }
    for (const [source, last] of Object.entries(steps)) {
      const text = readFileSync(pathOf(`../../${source}`), 'utf8');
      for (let step = 1; step <= last; step++)
        expect(text, `${source}: step ${step}`).toMatch(new RegExp(`^ \\* +${step}\\. `, 'm'));
    }
  });

  describe.skipIf(whyNoSpin() !== undefined)('every state is right', () => {
    it.each([...holds, ...(isLarge ? holdsLarge : [])])('with %s', async (words) => {
      const found = await search(pathOf(file), definitionsOf(words), { optimize: true });
      expect(found.errors, found.output).toBe(0);
      expect(found.violation).toBeUndefined();
      expect(found.isComplete, found.output).toBe(true);
      expect(found.states).toBeGreaterThan(10_000);
      console.log(`${file} ${words}: ${found.states} states`);
    });

    it.each(breaks)('but not with %s', async (words, violation) => {
      const found = await search(pathOf(file), definitionsOf(words), { optimize: false });
      expect(found.errors, found.output).toBe(1);
      expect(found.violation).toMatch(violation);
    });
  });
});
