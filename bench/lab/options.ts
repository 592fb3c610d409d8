/** What the benchmarks' command lines have in common. */
import { InvalidArgumentError } from 'commander';

/** wholeNumber reads an option's value. @throws InvalidArgumentError that says what is expected */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}
