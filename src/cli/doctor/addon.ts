/** The native addon, asked only what it was built with. */
import { native } from '../../kernel/native.js';

/** Whether the addon loads, and the libbpf in it. */
export type AddonState =
  | { readonly state: 'loaded'; readonly libbpfVersion: string }
  | { readonly state: 'missing'; readonly reason: string };

/** loadAddon loads the addon and asks for its libbpf's version. Never throws. */
export function loadAddon(): AddonState {
  try {
    return { state: 'loaded', libbpfVersion: native().libbpfVersion() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const absent = /no native build was found/i.test(message);
    return { state: 'missing', reason: absent ? 'it is not built' : message.replace(/\n[^]*/, '') };
  }
}
