/** Packages of Debian's archive, unpacked and not installed: what the set-up step does for its own, for peers. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/cli/package-info.js';

/** Suite is one suite of the archive that the machine's apt is configured for. */
export interface Suite {
  readonly packageNames: (prefix: string) => string[];
}

/** Debian is scripts/setup/, which has no types. */
interface Debian {
  readonly openSuite: (name: string) => Suite;
  readonly withUnpacked: (
    suite: Suite,
    packages: readonly string[],
    /** Gets the folder with what was in the packages, and an empty one; both are gone afterwards. */
    use: (tree: string, scratch: string) => void,
  ) => void;
  /** In one rename. */
  readonly moveIntoPlace: (from: string, to: string) => void;
  readonly kernelSuite: string;
  readonly distribution: { readonly codename: string };
}

/** loadDebian gives the set-up step's functions. Their errors are messages for the user. */
export async function loadDebian(): Promise<Debian> {
  const load = async (file: string): Promise<unknown> =>
    import(pathToFileURL(join(packageRoot(), 'scripts/setup', `${file}.mjs`)).href);
  const parts = await Promise.all(['archive', 'unpack', 'artefacts', 'machine'].map(load));
  return Object.assign({}, ...parts) as Debian;
}
