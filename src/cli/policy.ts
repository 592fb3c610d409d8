import { Command } from 'commander';
import { testCommand } from './policy/test.js';

/** policyCommand is about policies. */
export function policyCommand(): Command {
  return new Command('policy').description('test a policy').addCommand(testCommand());
}
