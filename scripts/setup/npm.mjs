// Installs the npm dependencies when the lock file is not the one they were installed from.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../paths.mjs';
import { run, Stop } from '../run.mjs';
import { hashOf, readStamp, writeStamp } from '../stamp.mjs';

const stampFile = 'node_modules/.nodeland-stamp';

/** Installed by hand after the lock file was last written, as far as the times tell. */
function isNewerThanLock() {
  const installed = join(checkoutDir, 'node_modules/.package-lock.json');
  return (
    existsSync(installed) &&
    statSync(installed).mtimeMs >= statSync(join(checkoutDir, 'package-lock.json')).mtimeMs
  );
}

export function installDependencies() {
  const hash = hashOf(['package-lock.json']);
  const stamp = readStamp(stampFile);
  if (stamp === hash) return;
  if (stamp === undefined && isNewerThanLock()) return writeStamp(stampFile, hash);
  console.log('nodeland: npm ci');
  // The npm that runs us, if one does: there need not be one in PATH.
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js')
    ? [process.execPath, process.env.npm_execpath]
    : ['npm'];
  const [command, ...args] = [...npm, 'ci', '--include=dev'];
  if (run(command, args) !== 0) throw new Stop('npm ci failed');
  writeStamp(stampFile, hash);
}
