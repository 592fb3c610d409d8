/** Policies from files, as the built program loads them: its workers import JavaScript. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ExitCode } from '../../src/cli/errors.js';
import type * as loadTypes from '../../src/policy/load.js';
import type { PolicyDefinition } from '../../src/policy/policy.js';
import type * as runTypes from '../../src/worker/run.js';
import type * as warmUpTypes from '../../src/worker/warm-up.js';

const dist = (path: string): string => new URL(`../../dist/src/${path}`, import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'nodeland-load-'));
const foldersBefore = compiled();
let load: typeof loadTypes;
let warmUp: typeof warmUpTypes;
let loader: loadTypes.PolicyLoader;

beforeAll(async () => {
  load = (await import(dist('policy/load.js'))) as typeof loadTypes;
  warmUp = (await import(dist('worker/warm-up.js'))) as typeof warmUpTypes;
  loader = new load.PolicyLoader();
});
afterEach(() => {
  loader.close();
  expect(compiled()).toEqual(foldersBefore);
});
afterAll(() => rmSync(folder, { recursive: true }));

function compiled(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('nodeland-policy-'));
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const FIFO = `
import { CPU_ANY, definePolicy, type Policy, type Slot, SlotFifo, z } from 'nodeland';
import { sliceUs } from './slices/long.ts';

class Mine implements Policy {
  private readonly held: SlotFifo;
  constructor(private readonly context: any) {
    this.held = new SlotFifo(context.nrSlots);
  }
  enqueue(slot: Slot): void {
    THROW
    this.held.push(slot);
  }
  dispatch(room: number): void {
    for (; room > 0 && this.held.size > 0; room--) {
      this.context.decisions.publish(this.held.shift(), sliceUs, CPU_ANY, 0);
    }
  }
}
export default definePolicy({
  name: 'mine',
  summary: 'first come, first served',
  options: z.strictObject({ depth: z.int().min(1).default(3) }),
  state: { burst: 'u32' },
  create: (context) => new Mine(context),
});
`;
const SLICES =
  'const from: string = import.meta.url;\nexport const sliceUs = from.endsWith("slices/long.ts") ? 20_000 : 0;\n';

async function refusal(name: string, from = folder): Promise<{ message: string; exitCode: ExitCode }> {
  try {
    await loader.load(name, from);
  } catch (error) {
    if (!(error instanceof Error && 'exitCode' in error)) throw error;
    return { message: error.message, exitCode: error.exitCode as ExitCode };
  }
  throw new Error('it was accepted');
}

/** What comes of some milliseconds of synthetic tasks. */
function rehearse(policy: PolicyDefinition): runTypes.StopReason | undefined {
  return warmUp.rehearse({ domain: 0, policy, ask: 'auto', sliceUs: 5000, wait: 'park' });
}

describe('a policy', () => {
  test('by the name of a built-in is that one, and nothing is compiled', async () => {
    expect(await loader.load('fifo')).toMatchObject({
      source: 'fifo',
      module: 'fifo',
      definition: { name: 'fifo' },
    });
  });

  test('in TypeScript with its own imports is compiled, and schedules', async () => {
    file('slices/long.ts', SLICES);
    const path = file('mine.ts', FIFO.replace('THROW', ''));
    const { source, module, definition } = await loader.load('mine.ts', folder);
    expect(source).toBe(path);
    expect(existsSync(fileURLToPath(module))).toBe(true);
    expect(definition).toMatchObject({ name: 'mine', state: { burst: 'u32' }, standing: 'auto' });
    expect(rehearse(definition)).toBeUndefined();
  });

  test('is loaded anew each time, so that a changed file counts', async () => {
    file('changing.mjs', 'export default { name: "one", summary: "", create: () => undefined };');
    expect((await loader.load('./changing.mjs', folder)).definition.name).toBe('one');
    file('changing.mjs', 'export default { name: "two", summary: "", create: () => undefined };');
    expect((await loader.load('./changing.mjs', folder)).definition.name).toBe('two');
  });

  test('that throws is told with its own file and line', async () => {
    file('slices/long.ts', SLICES);
    const text = FIFO.replace('THROW', "if (slot > 2) throw new Error('out of ideas');");
    const line = text.split('\n').findIndex((each) => each.includes('out of ideas')) + 1;
    const path = file('throwing.ts', text);
    const { definition } = await loader.load(path);
    expect(rehearse(definition)).toEqual({
      kind: 'policy-error',
      policy: 'mine',
      message: 'out of ideas',
      at: expect.stringMatching(new RegExp(`^Mine.enqueue \\(${path}:${line}:\\d+\\)$`)) as string,
    });
  });

  test('that makes our code throw is told with the line of its call', async () => {
    const lines = [
      "import { definePolicy } from 'nodeland';",
      "export default definePolicy({ name: 'misled', summary: '', create: ({ tasks }) => ({",
      '  enqueue(slot) {',
      '    tasks.deadlineInto(slot, 1, null);',
      '  }, dispatch() {} }) });',
    ];
    const path = file('misled.js', lines.join('\n'));
    const { definition } = await loader.load(path);
    expect(rehearse(definition)).toMatchObject({ at: expect.stringContaining(`${path}:4:`) as string });
  });
});

describe('a policy is refused as a configuration error', () => {
  test.each<[string, string, string | RegExp]>([
    ['that is not there', './none.ts', 'policy ./none.ts: no such file'],
    ['that is a folder', './slices/.', 'policy ./slices/.: not a file'],
    ['below a file', './mine.ts/x.ts', 'policy ./mine.ts/x.ts: cannot be read (ENOTDIR)'],
    ['without path or name', 'lifo', /^no policy "lifo"; expected vtime, fifo.* or the path of a module$/],
  ])('%s', async (_what, name, message) => {
    file('slices/long.ts', SLICES);
    file('mine.ts', '');
    const error = await refusal(name);
    expect(error.exitCode).toBe(78);
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
  });

  test.each<[string, string, string]>([
    ['with a mistake in its syntax', 'let x = 1;\nlet y: = 2;', 'wrong.ts:2:8: Unexpected "="'],
    ['that imports what is not there', "import './gone.ts';", 'wrong.ts:1:8: Could not resolve "./gone.ts"'],
    [
      'that imports a part of nodeland there is not',
      "import 'nodeland/inner';",
      'Could not resolve "nodeland/inner"',
    ],
    ['that imports a name there is not', "import { nothing } from 'nodeland'; nothing();", 'nothing'],
    [
      'without a default export',
      'export const a = 1;',
      'policy wrong.ts: expected `export default definePolicy({ ... })`',
    ],
    [
      'whose default export is no object',
      'export default () => 1;',
      'expected `export default definePolicy({ ... })`',
    ],
    [
      'without a name',
      'export default { create: () => 1 };',
      'policy wrong.ts: policy name "undefined": expected',
    ],
    [
      'without create',
      'export default { name: "x", summary: "" };',
      'policy wrong.ts: policy x: create is not a function',
    ],
    [
      'with options that are no schema',
      'export default { name: "x", options: {}, create() {} };',
      'options is not a zod schema',
    ],
    [
      'with state of no kind',
      'export default { name: "x", state: { a: "f16" }, create() {} };',
      'state.a is "f16"',
    ],
    [
      'that throws while it is loaded',
      '\nthrow new Error("top");',
      `policy wrong.ts: top (${folder}/wrong.ts:2:7)`,
    ],
    ['that throws what is no error', 'throw null;', 'policy wrong.ts: null'],
  ])('%s', async (_what, text, message) => {
    file('wrong.ts', text);
    const error = await refusal('wrong.ts');
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/^ {4}at /m);
    expect(error.exitCode).toBe(78);
  });
});

test('the settings of a project around the file are none of ours', async () => {
  file('project/tsconfig.json', '{ "extends": "./gone.json", "compilerOptions": { "target": "es3" } }');
  file('project/package.json', '{ "type": "commonjs" }');
  file('project/in.ts', 'export default { name: "in", summary: "", create: () => undefined };');
  expect((await loader.load('project/in.ts', folder)).definition.name).toBe('in');
});
