/** What has been built of the known peers: programs in the cache folder, and for the others why there is none. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { cacheFolder } from '../../src/sandbox/kernels.js';
import type { Missing } from '../sandbox/outcome.js';
import type { Peer } from '../sandbox/scheduler.js';
import { KNOWN_PEERS } from './catalog.js';

/** peersFolder holds bin/NAME, and what was learnt while they were built. */
export const peersFolder = (cache = cacheFolder()): string => join(cache, 'peers');

/** programOf is where a peer's program belongs. */
export const programOf = (name: string, folder = peersFolder()): string => join(folder, 'bin', name);

/** presentPeers lists the known peers that are built. */
export function presentPeers(folder = peersFolder()): Peer[] {
  return KNOWN_PEERS.map(({ name }) => ({ name, program: programOf(name, folder) }))
    .filter(({ program }) => existsSync(program))
    .map(({ name, program }) => ({ name, command: `exec '${program.replaceAll("'", `'\\''`)}'` }));
}

/** missingPeers lists the others, each with its reason. */
export function missingPeers(folder = peersFolder()): Missing[] {
  const reasons = readReasons(folder);
  return KNOWN_PEERS.filter(({ name }) => !existsSync(programOf(name, folder))).map(({ name }) => ({
    name,
    why: reasons[name] ?? 'not built yet; npm run bench -- peers fetches and builds it',
  }));
}

const reasonsSchema = z.record(z.string(), z.string());
const reasonsFile = (folder: string): string => join(folder, 'missing.json');

function readReasons(folder: string): z.infer<typeof reasonsSchema> {
  const file = reasonsFile(folder);
  if (!existsSync(file)) return {};
  try {
    return reasonsSchema.catch({}).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Half a file, of a run that was killed: the reasons are found anew by the next.
    return {};
  }
}

/** keepReasons remembers why these could not be built; those of others stay. */
export function keepReasons(missing: readonly Missing[], folder = peersFolder()): void {
  mkdirSync(folder, { recursive: true });
  const reasons = {
    ...readReasons(folder),
    ...Object.fromEntries(missing.map(({ name, why }) => [name, why])),
  };
  writeFileSync(reasonsFile(folder), `${JSON.stringify(reasons, null, 1)}\n`);
}
