// Downloads packages into a scratch folder of the cache and unpacks them there. What is kept is moved to its place in
// one rename, so that an interrupted run never leaves half of something in the cache.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDir } from '../paths.mjs';
import { run, Stop } from '../run.mjs';

const scratchPrefix = '.unpack-';

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Removes the scratch folders of runs that were killed. */
function removeStaleScratch() {
  for (const name of readdirSync(cacheDir)) {
    if (!name.startsWith(scratchPrefix) || isAlive(Number(name.slice(scratchPrefix.length).split('-')[0])))
      continue;
    rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}

let scratchCount = 0;

/** Calls `use` with a folder that holds the unpacked packages and one to build the result in; both go afterwards. */
export function withUnpacked(suite, packages, use) {
  mkdirSync(cacheDir, { recursive: true });
  removeStaleScratch();
  const scratch = join(cacheDir, `${scratchPrefix}${process.pid}-${scratchCount++}`);
  const [debs, tree, result] = ['debs', 'tree', 'result'].map((name) => join(scratch, name));
  try {
    for (const folder of [debs, tree, result]) mkdirSync(folder, { recursive: true });
    for (const deb of suite.download(packages, debs)) {
      if (run('dpkg', ['-x', deb, tree]) !== 0) throw new Stop(`dpkg could not unpack ${deb}`);
      rmSync(deb);
    }
    use(tree, result);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Puts a finished file or folder in its place; what was there before (an incomplete one) is replaced. */
export function moveIntoPlace(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  if (existsSync(to)) renameSync(to, `${from}.replaced`);
  renameSync(from, to);
}
