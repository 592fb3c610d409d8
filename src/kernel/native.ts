import { createRequire } from 'node:module';

import { EXIT, UserError } from '../cli/errors.js';
import { packageRoot } from '../cli/package-info.js';
import type { NativeAddon } from './native-addon.js';

let loaded: NativeAddon | undefined;

/**
 * native is the C++ addon, loaded at the first call: build/Release/nodeland.node of the checkout, else a
 * prebuilt one for this platform. The main thread and every worker call it for themselves; all of them reach
 * the same sessions.
 *
 * @throws UserError when there is no addon for this platform, or it does not load.
 */
export function native(): NativeAddon {
  loaded ??= load(packageRoot());
  return loaded;
}

function load(root: string): NativeAddon {
  const nodeGypBuild = createRequire(import.meta.url)('node-gyp-build') as (directory: string) => unknown;
  try {
    return nodeGypBuild(root) as NativeAddon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim() : String(cause);
    const message = `nodeland's addon does not load; build it with \`npm run build\`: ${reason}`;
    throw new UserError(message, EXIT.unavailable, { cause });
  }
}
