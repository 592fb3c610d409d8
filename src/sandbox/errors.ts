/** SandboxError says why a sandbox machine could not be started or did not finish, in words meant for its user. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError';

  constructor(
    message: string,
    readonly reason: 'setup' | 'options' | 'boot' | 'ended' | 'timeout' | 'interrupted',
    /** The last lines of the guest kernel's console, empty when no machine was started. */
    readonly consoleTail = '',
  ) {
    super(message);
  }
}
