/**
 * `nodeland run` as it is, but for the attachment: what of the addon would attach does nothing. On a kernel without sched_ext the
 * loopback's object is loaded in the place of the scheduler's, and the check for sched_ext is told there is one.
 */
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { packageRoot } from '../src/cli/package-info.js';
import type { NativeAddon } from '../src/kernel/native-addon.js';

const STATE_FILE = '/sys/kernel/sched_ext/state';
const root = packageRoot();

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
// The very object that the command gets.
const addon = (createRequire(import.meta.url)('node-gyp-build') as (folder: string) => unknown)(
  root,
) as Writable<NativeAddon>;
const { openSession } = addon;
const nothing = (): void => undefined;
addon.attachSession = nothing;
addon.detachSession = nothing;
addon.exitInfo = () => null;
if (!fs.existsSync(STATE_FILE)) {
  const { readFileSync } = fs;
  fs.readFileSync = ((...args: Parameters<typeof readFileSync>) =>
    args[0] === STATE_FILE ? 'disabled\n' : readFileSync(...args)) as typeof readFileSync;
  syncBuiltinESMExports();
  const objectPath = join(root, 'build', 'bpf', 'loopback.bpf.o');
  addon.openSession = ({ arenaBytes }) => openSession({ objectPath, arenaBytes });
}
await import(join(root, 'lib', 'src', 'cli', 'main.js'));
