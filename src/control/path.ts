/** Where the control socket is when nobody says. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const SYSTEM_FOLDER = '/run';
const NAME = 'nodeland.sock';

/** defaultSocketPath is /run/nodeland.sock for root, else in the user's runtime folder. */
export function defaultSocketPath(): string {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0 && isWritable(SYSTEM_FOLDER)) return join(SYSTEM_FOLDER, NAME);
  return join(process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`, NAME);
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
