/** What the process ends with. sysexits.h numbers where one fits. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** Anything not named below. */
  failure: 1,
  /** The command line cannot be understood. */
  usage: 64,
  /** This kernel has no sched_ext, or something else this machine lacks. */
  unavailable: 69,
  /** Not enough privilege. */
  privilege: 77,
  /** The configuration is wrong. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * UserError is a mistake or a lack that the user can mend: its message is printed as it is, without a
 * stack, and the process ends with its exit code. Everything else that is thrown is a bug of ours.
 */
export class UserError extends Error {
  override name = 'UserError';

  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failure,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
