/** What the steps of a decision cost, apart from where the lines are. */

/** ServiceCosts are nanoseconds on CPUs that have all lines at hand, and how many line transfers in a row come to the rest. */
export interface ServiceCosts {
  /** A push into the task ring, by the CPU whose task it is. */
  readonly pushNs: number;
  readonly pushLines: number;
  /** A batch of the worker, whatever its size. */
  readonly batchNs: number;
  /** Each task of a batch. */
  readonly decideNs: number;
  readonly decideLines: number;
  /** A decision taken from the ring and checked, by the CPU it is for. */
  readonly drainNs: number;
  readonly drainLines: number;
  /** A task handed to another worker, beside its being decided there: charged to the giver. */
  readonly handOffNs: number;
}

/** StepTimes are the measured steps of a loopback, in ns per task, and one batch's fixed part. */
export interface StepTimes {
  readonly push: number;
  readonly decide: number;
  readonly drain: number;
  readonly batch: number;
}

/**
 * costsFrom divides what each step takes longer across cores (`apart`) than on one (`alone`) by what one line takes to
 * cross there: so many transfers it comes to, fewer than there are lines, as a core fetches several at once. That the
 * number is the same at other distances is the model's assumption.
 */
export function costsFrom(
  alone: StepTimes,
  apart: StepTimes,
  lineNs: number,
  handOffNs: number,
): ServiceCosts {
  const lines = (step: 'push' | 'decide' | 'drain'): number =>
    Math.max(0, apart[step] - alone[step]) / lineNs;
  return {
    pushNs: alone.push,
    pushLines: lines('push'),
    batchNs: apart.batch,
    decideNs: alone.decide,
    decideLines: lines('decide'),
    drainNs: alone.drain,
    drainLines: lines('drain'),
    handOffNs,
  };
}
