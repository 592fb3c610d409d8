/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';
import type { StateArrays } from '../state.js';
import type { LatencyClass } from './options.js';

/** Less than this is not worth a boost: a slice that short would cost more than it brings. */
export const BOOST_MIN_US = 500;
/** A class saves up its share of this long at most. */
const CLASS_BURST_US = 100_000;
const PERCENT_PER_US = 1e-5;

/** BUDGET_STATE is what is kept for each task. */
export const BUDGET_STATE = {
  /** Boosted execution it may still have. */
  leftUs: 'f64',
  refilledNs: 'f64',
  /** Set aside for its last decision and standing order; what it did not use is given back. */
  grantUs: 'f64',
  /** 1 + the domain whose class budget that came from. */
  grantHome: 'u32',
} as const;

/**
 * Budgets are token buckets: one for each task of a class, and one for the class in this domain. A boost is paid for in
 * advance from both, by the longest it can last, so that tasks that fork, exit or sleep without a word cannot have more
 * than the buckets hold. What was set aside and not used comes back only while it could still be used: otherwise many
 * sleepers could save up together. Invariant: boosted execution of a class in this domain over any time T is at most
 * twice its capacity (saved up, and set aside before) plus its share of T and of the time a standing order is valid. Every
 * operation is O(1).
 */
export class Budgets {
  private readonly taskCapacityUs: Float64Array;
  private readonly taskUsPerNs: Float64Array;
  private readonly classCapacityUs: Float64Array;
  private readonly classUsPerNs: Float64Array;
  private readonly classLeftUs: Float64Array;
  private readonly classRefilledNs: Float64Array;
  private readonly here: number;

  constructor(
    private readonly state: StateArrays<typeof BUDGET_STATE>,
    classes: readonly LatencyClass[],
    domain: number,
    nrCpus: number,
    private readonly validNs: number,
  ) {
    const perNs = (percent: number): number => percent * PERCENT_PER_US;
    this.taskCapacityUs = Float64Array.from(classes, ({ budgetUs }) => budgetUs);
    this.taskUsPerNs = Float64Array.from(classes, ({ refillPercent }) => perNs(refillPercent));
    this.classCapacityUs = Float64Array.from(classes, (each) => classCapacityUs(each, nrCpus));
    this.classUsPerNs = Float64Array.from(classes, ({ sharePercent }) => perNs(sharePercent) * nrCpus);
    this.classLeftUs = this.classCapacityUs.slice();
    this.classRefilledNs = new Float64Array(classes.length);
    this.here = domain + 1;
  }

  /** begin fills a new task's bucket, whatever class it will be in. */
  begin(slot: Slot): void {
    this.state.leftUs[slot] = Infinity;
  }

  /** settle gives back what was set aside and not used, and adds what has come in until now. */
  settle(slot: Slot, index: number, ranNs: number, nowNs: number): void {
    const { leftUs, refilledNs, grantUs, grantHome } = this.state;
    const { classLeftUs, classRefilledNs } = this;
    const unusedUs = grantUs[slot] - ranNs / 1000;
    const passedNs = nowNs - refilledNs[slot];
    const backUs = unusedUs > 0 && passedNs <= this.validNs ? unusedUs : 0;
    const taskUs = leftUs[slot] + backUs + (passedNs > 0 ? passedNs * this.taskUsPerNs[index] : 0);
    leftUs[slot] = taskUs < this.taskCapacityUs[index] ? taskUs : this.taskCapacityUs[index];
    if (passedNs > 0) refilledNs[slot] = nowNs;

    const classPassedNs = nowNs - classRefilledNs[index];
    let classUs = classLeftUs[index];
    if (grantHome[slot] === this.here) classUs += backUs;
    if (classPassedNs > 0) {
      classUs += classPassedNs * this.classUsPerNs[index];
      classRefilledNs[index] = nowNs;
    }
    classLeftUs[index] = classUs < this.classCapacityUs[index] ? classUs : this.classCapacityUs[index];
    grantUs[slot] = 0;
  }

  /** leftUs is what both buckets have. */
  leftUs(slot: Slot, index: number): number {
    const taskUs = this.state.leftUs[slot];
    return taskUs < this.classLeftUs[index] ? taskUs : this.classLeftUs[index];
  }

  /** fullness is how full the emptier bucket is, 0 to 1. */
  fullness(slot: Slot, index: number): number {
    const task = this.state.leftUs[slot] / this.taskCapacityUs[index];
    const all = this.classLeftUs[index] / this.classCapacityUs[index];
    return task < all ? task : all;
  }

  /** setAside takes out of both buckets; the caller has looked that there is so much. */
  setAside(slot: Slot, index: number, us: number): void {
    const { leftUs, grantUs, grantHome } = this.state;
    leftUs[slot] -= us;
    this.classLeftUs[index] -= us;
    grantUs[slot] += us;
    grantHome[slot] = this.here;
  }
}

/** classCapacityUs is how much boosted execution a class can have saved up in a domain of so many CPUs. */
export function classCapacityUs({ budgetUs, sharePercent }: LatencyClass, nrCpus: number): number {
  return Math.max(budgetUs, (CLASS_BURST_US * nrCpus * sharePercent) / 100);
}
