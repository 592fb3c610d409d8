import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { native } from '../../src/kernel/native.js';
import { isNativeError, type NativeError, type SessionId } from '../../src/kernel/native-addon.js';
import { BpfObjects, whyNoBpf } from './bpf-objects.js';

const missing = whyNoBpf();
const arenaBytes = 1 << 20;
let objects: BpfObjects;
let probe: string;
let sessions: SessionId[] = [];

beforeAll(() => {
  if (missing !== undefined) return;
  objects = new BpfObjects();
  probe = objects.compile('probe');
});
afterAll(() => {
  if (missing === undefined) objects.remove();
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});
afterEach(() => {
  for (const session of sessions) native().closeSession(session);
  sessions = [];
});

const open = (objectPath = probe, more = {}): SessionId => {
  const session = native().openSession({ objectPath, arenaBytes, ...more });
  sessions.push(session);
  return session;
};
const opened = (): SessionId => {
  const session = open();
  native().loadSession(session);
  return session;
};
const close = (session: SessionId): void => {
  sessions = sessions.filter((other) => other !== session);
  native().closeSession(session);
};
const refused = (attempt: () => unknown): NativeError => {
  try {
    attempt();
  } catch (error) {
    if (isNativeError(error)) return error;
    throw error;
  }
  throw new Error('it was not refused');
};
const words = (...values: number[]): Uint32Array => new Uint32Array(values);
const run = (session: SessionId, name: string, args: Uint32Array): number =>
  native().runProgram(session, name, new Uint8Array(args.buffer));
const alloc = (session: SessionId, pages = 4): Uint32Array => {
  const args = words(pages, 0, 0, 0, 0, 0);
  expect(run(session, 'alloc', args)).toBe(7);
  return args;
};

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('opening', () => {
  test('names an object that does not exist', () => {
    const error = refused(() => open('/nowhere/nodeland.bpf.o'));
    expect(error).toMatchObject({ code: 'ENOENT', errno: 2, syscall: 'bpf_object__open_file' });
    expect(error.message).toContain('/nowhere/nodeland.bpf.o');
  });

  test('refuses a file that is not a BPF object, with what libbpf said', () => {
    const garbage = join(objects.folder, 'garbage.bpf.o');
    writeFileSync(garbage, 'not an object at all\n'.repeat(100));
    const error = refused(() => open(garbage));
    expect(error.message).toContain('not a BPF object');
    expect(error.log).toContain('libbpf');
  });

  test('rejects arguments of a wrong type or range by name', () => {
    const anything = (options: unknown) => () => native().openSession(options as never);
    expect(anything(undefined)).toThrow(TypeError);
    expect(anything({ objectPath: 3, arenaBytes })).toThrow('options.objectPath must be a string');
    expect(anything({ objectPath: probe, arenaBytes: 2 ** 33 })).toThrow(RangeError);
    expect(anything({ objectPath: probe, arenaBytes, ops: { map: 'x', flags: 'y' } })).toThrow(
      'options.ops.flags must be an array',
    );
  });

  test('refuses a constant the object does not have', () => {
    expect(refused(() => open(probe, { constants: { question: 1 } }))).toMatchObject({ code: 'ENOENT' });
  });

  test('with ops needs a kernel with sched_ext, and says so', () => {
    const withOps = () => open(probe, { ops: { map: 'probe' } });
    if (native().kernelHas('struct', 'sched_ext_ops')) {
      expect(withOps()).toBeGreaterThan(0);
      return;
    }
    const error = refused(withOps);
    expect(error.code).toMatch(/^E(OPNOTSUPP|NOTSUP)$/);
    expect(error.message).toContain('no sched_ext');
  });
});

describe('loading', () => {
  test('leaves struct_ops out without ops, so that programs run on any kernel', () => {
    expect(alloc(opened())[1]).toBe(41);
  });

  test('is refused the second time', () => {
    const session = opened();
    expect(refused(() => native().loadSession(session))).toMatchObject({ code: 'EALREADY' });
    alloc(session);
  });

  test('without privilege is refused with what is missing', () => {
    // The object is read first: a folder of root's may be closed to the other user.
    const script = `
      const native = require('node-gyp-build')(${JSON.stringify(process.cwd())});
      const session = native.openSession({ objectPath: ${JSON.stringify(probe)}, arenaBytes: 4096 });
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      try { native.loadSession(session); } catch ({ code, message }) { console.log(code, message); }
      console.log(native.lockMemory().refused > 0);`;
    const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(child.stdout).toMatch(/^EPERM .*CAP_BPF.*\ntrue\n$/);
    expect(child.status).toBe(0);
  });

  test('carries the verifier log when the verifier says no, and cannot be repeated', () => {
    const session = open(objects.compile('rejected'));
    const error = refused(() => native().loadSession(session));
    expect(error).toMatchObject({ code: 'EACCES', syscall: 'bpf_object__load' });
    expect(error.log).toContain("invalid mem access 'map_value_or_null'");
    expect(error.message).toContain('map_value_or_null');
    expect(refused(() => native().loadSession(session)).code).toBe('EALREADY');
  });

  test('beside this thread is refused as it would be on it', async () => {
    const addon = native();
    const later = (session: SessionId): Promise<unknown> =>
      addon.loadSessionAsync(session).then(
        () => undefined,
        (error: unknown) => error,
      );
    const session = open(probe);
    expect(await later(session)).toBeUndefined();
    expect(alloc(session)[1]).toBe(41);
    expect(await later(session)).toMatchObject({ code: 'EALREADY' });
    const rejected = (await later(open(objects.compile('rejected')))) as NativeError;
    expect(rejected).toMatchObject({ code: 'EACCES', syscall: 'bpf_object__load' });
    expect(rejected.log).toContain("invalid mem access 'map_value_or_null'");
    expect(await later(9999 as SessionId)).toMatchObject({ code: 'EBADF' });
  });

  test('beside this thread ends before the session closes', async () => {
    const addon = native();
    const session = addon.openSession({ objectPath: probe, arenaBytes: 1 << 20 });
    const loaded = addon.loadSessionAsync(session);
    addon.closeSession(session);
    // Whichever of the two was first.
    expect(await loaded.catch((error: unknown) => (error as NativeError).code)).toBeOneOf([undefined, 'EALREADY']);
    expect(refused(() => addon.loadSession(session)).code).toBe('EBADF');
  });

  test('sets constants, 64 bits wide where they are', () => {
    const session = open(probe, { constants: { answer: 42n } });
    native().loadSession(session);
    expect(alloc(session)[1]).toBe(42);
  });

  test('puts the arena where the low 32 bits are 0, and tells the object', () => {
    const session = opened();
    const address = native().sessionMemoryAddress(session);
    expect(address & 0xffffffffn).toBe(0n);
    expect(new BigUint64Array(alloc(session).buffer).slice(1)).toEqual(new BigUint64Array([address, address]));
  });

  test('comes before memory and programs', () => {
    const session = open();
    expect(refused(() => native().sessionMemory(session, 4096)).code).toBe('ENOTCONN');
    expect(refused(() => run(session, 'alloc', words(1, 0, 0, 0, 0, 0))).code).toBe('ENOTCONN');
  });
});

describe('attaching and detaching', () => {
  test('attach is refused without ops', () => {
    expect(refused(() => native().attachSession(opened()))).toMatchObject({ code: 'EINVAL' });
  });

  test('detach is refused when nothing is attached, each time', () => {
    const session = opened();
    for (const _ of [1, 2]) expect(refused(() => native().detachSession(session)).code).toBe('ENOTCONN');
  });
});

describe('memory', () => {
  test('is what BPF wrote, and BPF sees what JavaScript wrote', () => {
    const session = opened();
    alloc(session);
    const memory = new Uint32Array(native().sessionMemory(session, 4096));
    expect(memory[0]).toBe(41);
    memory[1] = 100;
    expect(run(session, 'count', words(23, 0))).toBe(0);
    expect(memory[1]).toBe(123);
  });

  test('of two sessions is apart', () => {
    const [one, two] = [opened(), opened()];
    alloc(one);
    alloc(two);
    expect(native().sessionMemoryAddress(one)).not.toBe(native().sessionMemoryAddress(two));
    const [a, b] = [one, two].map((session) => new Uint32Array(native().sessionMemory(session, 4096)));
    run(one, 'count', words(5, 0));
    expect([a[1], b[1]]).toEqual([5, 0]);
  });

  test('stays readable and writable after the session is closed', () => {
    const session = opened();
    alloc(session);
    const memory = new Uint32Array(native().sessionMemory(session, 4 * 4096));
    close(session);
    memory[3 * 1024] = 9;
    expect([memory[0], memory[3 * 1024]]).toEqual([41, 9]);
  });

  test('is unmapped when the last ArrayBuffer over it is collected', async () => {
    const session = opened();
    alloc(session);
    const address = native().sessionMemoryAddress(session).toString(16);
    const mapped = (): boolean => readFileSync('/proc/self/maps', 'utf8').includes(`${address}-`);
    const views = [1, 2].map((pages) => new WeakRef(native().sessionMemory(session, pages * 4096)));
    close(session);
    expect([views.length, mapped()]).toEqual([2, true]);
    await expect.poll(() => (collectGarbage(), mapped()), { timeout: 20_000 }).toBe(false);
  });

  test('is found on its NUMA node', () => {
    const session = opened();
    alloc(session, 8);
    new Uint8Array(native().sessionMemory(session, 8 * 4096)).fill(1);
    const placement = native().memoryPlacement(session);
    if (placement.length > 0) expect(placement.reduce((sum, { pages }) => sum + pages, 0)).toBe(8);
  });

  test('is not given out beyond the arena', () => {
    expect(() => native().sessionMemory(opened(), arenaBytes + 1)).toThrow(RangeError);
  });
});

describe('programs', () => {
  test('that do not exist, or get too small a context, are refused', () => {
    const session = opened();
    expect(refused(() => run(session, 'nothing', words(0)))).toMatchObject({ code: 'ENOENT' });
    expect(refused(() => run(session, 'alloc', words(1)))).toMatchObject({ code: 'EINVAL' });
  });

  test('run on several CPUs at once, and lose nothing', async () => {
    const session = opened();
    alloc(session);
    const cpus = native().threadAffinity();
    const runs = [...cpus, ...cpus].map(async (cpu) => {
      const args = words(50_000, 0xffff);
      expect(await native().runProgramAsync(session, 'count', new Uint8Array(args.buffer), cpu)).toBe(0);
      expect(args[1]).toBe(cpu);
    });
    await Promise.all(runs);
    expect(new Uint32Array(native().sessionMemory(session, 4096))[1]).toBe(runs.length * 50_000);
    expect(native().threadAffinity()).toEqual(cpus);
  });

  test('under way when the session closes end normally', async () => {
    const session = opened();
    alloc(session);
    const under = native().runProgramAsync(session, 'count', new Uint8Array(words(60_000, 0).buffer));
    close(session);
    expect(await under).toBe(0);
  });

  test('refused off the thread reject with the same error', async () => {
    const later = native().runProgramAsync(opened(), 'nothing', new Uint8Array(4));
    await expect(later).rejects.toMatchObject({ code: 'ENOENT', syscall: 'bpf_object__find_program_by_name' });
  });
});

test('exit information is null until the kernel side leaves some', () => {
  const session = opened();
  expect(native().exitInfo(session)).toBeNull();
  run(session, 'leave', words(64));
  expect(native().exitInfo(session)).toEqual({
    kind: 64,
    exitCode: -3000000000n,
    reason: 'tested',
    message: 'by the probe',
    dump: '',
  });
});

test('a closed session is gone for every function', () => {
  const session = opened();
  close(session);
  expect(refused(() => native().closeSession(session)).code).toBe('EBADF');
  expect(refused(() => native().exitInfo(session)).code).toBe('EBADF');
  expect(refused(() => native().loadSession(session)).code).toBe('EBADF');
});
