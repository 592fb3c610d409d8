#!/usr/bin/env node
// Makes a fresh machine ready: system packages, what goes into the cache, npm dependencies, the build.
// Says what it will do before it does it, and does nothing, quickly, when all is there.
import { buildAll } from './build.mjs';
import { exitCodes, isStartedDirectly, runMain, Stop } from './run.mjs';
import { fetchArtefacts, findMissingArtefacts } from './setup/artefacts.mjs';
import { distribution, hasApt } from './setup/machine.mjs';
import { installDependencies } from './setup/npm.mjs';
import { installPackages } from './setup/packages.mjs';
import { findMissing } from './setup/requirements.mjs';

const minNodeMajor = 20;

function checkPlatform() {
  if (process.platform !== 'linux')
    throw new Stop('nodeland schedules Linux; this is not Linux', exitCodes.unavailable);
  const major = Number(process.versions.node.split('.')[0]);
  if (major < minNodeMajor) {
    throw new Stop(
      `Node.js ${process.versions.node} is too old: nodeland needs ${minNodeMajor} or newer`,
      exitCodes.unavailable,
    );
  }
}

/** Obtains missing things by `step`. With `mayGoWithout` a failure is told and survived if none is for the build. */
function obtain(missing, mayGoWithout, step) {
  if (missing.length === 0) return;
  try {
    step(missing);
  } catch (error) {
    const isOptional = missing.every((item) => item.for !== 'build');
    if (!(error instanceof Stop && isOptional && mayGoWithout)) throw error;
    console.warn(`nodeland: ${error.message}\nnodeland: going on without; what needs it will be skipped.`);
  }
}

function refuseWithoutApt(missing) {
  const lines = missing.map(
    (item) => `  ${item.name}${item.package ? ` (Debian: ${item.package})` : ` as ${item.place}`}`,
  );
  throw new Stop(
    `${distribution.name} has no apt-get. Install these yourself, then run this again:\n${lines.join('\n')}`,
    exitCodes.unavailable,
  );
}

/**
 * Installs and fetches what is missing, and the npm dependencies; does not build.
 * `mayGoWithout` lets it go on without what only the sandbox and the tools need.
 */
export function prepareMachine({ mayGoWithout = false } = {}) {
  checkPlatform();
  const artefacts = findMissingArtefacts();
  const packages = findMissing({ needsArchive: artefacts.length > 0 });
  if (hasApt) {
    obtain(packages, mayGoWithout, installPackages);
    // Installing may have changed the answer: pkg-config tells which libbpf there is.
    obtain(packages.length > 0 ? findMissingArtefacts() : artefacts, mayGoWithout, fetchArtefacts);
  } else {
    obtain([...packages, ...artefacts], mayGoWithout, refuseWithoutApt);
  }
  installDependencies();
}

if (isStartedDirectly(import.meta.url)) {
  await runMain(async () => {
    prepareMachine();
    await buildAll();
  });
}
