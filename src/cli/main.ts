#!/usr/bin/env node
/**
 * The command line's entry. Compiling what it reads is half of the time a command takes; from Node 22.8 on, V8 can keep what
 * it compiled. Where it cannot write that, it goes without.
 */
import * as nodeModule from 'node:module';
import { userInfo } from 'node:os';
import { join } from 'node:path';

// Node 20, whose types these are, has it not.
const { enableCompileCache } = nodeModule as { enableCompileCache?: (folder: string) => unknown };
const folder = ownFolder();
if (folder !== undefined) enableCompileCache?.(folder);
await import('./command-line.js');

/** Not by the environment, which sudo may keep: what lies there is run, so it must be this user's. */
function ownFolder(): string | undefined {
  try {
    return join(userInfo().homedir, '.cache', 'nodeland', 'compiled');
  } catch {
    return undefined;
  }
}
