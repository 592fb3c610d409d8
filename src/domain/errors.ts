/** Why a plan is refused, for tests and for programs. */
export type PlanProblem = 'bad-cpus' | 'too-many-cpus' | 'too-many-domains';

/** PlanError says what stands between a domain spec and this machine. */
export class PlanError extends Error {
  override name = 'PlanError';

  constructor(
    readonly problem: PlanProblem,
    message: string,
  ) {
    super(message);
  }
}
