/** A number among a command's options. */
import { InvalidArgumentError } from 'commander';

/** wholeNumber reads an option's value. @throws InvalidArgumentError that says what is expected */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}
