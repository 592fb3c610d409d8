import { EXIT, UserError } from '../errors.js';

/** writing does what writes for an option. @throws UserError that names the option when it cannot be written */
export function writing(option: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`${option}: ${why}`, EXIT.failure, { cause });
  }
}
