import { Command } from 'commander';
import { listCommand } from './policy/list.js';
import { setCommand } from './policy/set.js';
import { showCommand } from './policy/show.js';
import { testCommand } from './policy/test.js';

/** policyCommand is about policies: which there are, what they can be told, what runs, and changing that. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('list policies, show their options, change those of a running scheduler, test one')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(setCommand())
    .addCommand(testCommand());
}
