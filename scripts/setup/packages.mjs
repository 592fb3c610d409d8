// Installs system packages with apt-get, as root or through sudo, after saying which.
import { capture, exitCodes, findCommand, run, Stop } from '../run.mjs';
import { isRoot } from './machine.mjs';

const asList = (missing) => missing.map(({ name, package: pkg }) => `  ${name} (Debian: ${pkg})`).join('\n');

/** The words to put before a command that needs root, or undefined when there is no way to become root. */
function rootPrefix() {
  if (isRoot) return [];
  if (!findCommand('sudo')) return undefined;
  // Without a terminal nobody can type a password.
  const canAsk = process.stdin.isTTY && process.stderr.isTTY;
  if (!canAsk && capture('sudo', ['-n', 'true']) === undefined) return undefined;
  return canAsk ? ['sudo'] : ['sudo', '-n'];
}

/** Installs what is missing, or throws a Stop (77) that lists it when there is no way to become root. */
export function installPackages(missing) {
  const prefix = rootPrefix();
  if (!prefix) {
    throw new Stop(
      `these are missing, and installing them needs root or sudo:\n${asList(missing)}\n` +
        `As root: apt-get install --no-install-recommends ${missing.map((item) => item.package).join(' ')}`,
      exitCodes.noPermission,
    );
  }
  console.log(`nodeland: missing, and will be installed with apt-get:\n${asList(missing)}`);
  const aptGet = (...args) => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return run(command, rest);
  };
  // An update that fails in part (a third party's archive is down) need not stop us: the installation will tell.
  aptGet('update', '--quiet');
  const packages = [...new Set(missing.map((item) => item.package))];
  if (aptGet('install', '--yes', '--no-install-recommends', ...packages) !== 0) {
    throw new Stop(`apt-get could not install: ${packages.join(' ')}`);
  }
}
