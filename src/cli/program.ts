/** The command tree. Each command is in the file of its name. */
import { Command } from 'commander';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { domainsCommand } from './domains.js';
import { packageVersion } from './package-info.js';
import { policyCommand } from './policy.js';
import { recordCommand } from './record.js';
import { runCommand } from './run.js';
import { sandboxCommand } from './sandbox.js';
import { simCommand } from './sim.js';

const EXIT_CODES = `
Exit codes: 0 done, 64 usage, 69 this kernel has no sched_ext or nothing runs, 77 not enough privilege,
78 bad configuration, 1 anything else.`;

/** createProgram builds the commands; parse errors throw CommanderError instead of ending the process. */
export function createProgram(): Command {
  const program = new Command('nodeland')
    .description(
      'Schedules a Linux machine from TypeScript: one pinned worker per CPU domain, through sched_ext.',
    )
    .version(packageVersion(), '--version')
    .enablePositionalOptions()
    .addHelpText('after', EXIT_CODES)
    .addCommand(runCommand())
    .addCommand(domainsCommand())
    .addCommand(policyCommand())
    .addCommand(recordCommand())
    .addCommand(simCommand())
    .addCommand(doctorCommand())
    .addCommand(sandboxCommand())
    .addCommand(demoCommand());
  throwOnParseErrors(program);
  return program;
}

/** commander applies exitOverride only to subcommands made after it; these were made before. */
function throwOnParseErrors(command: Command): void {
  command.exitOverride().showHelpAfterError(`(${fullName(command)} --help shows what there is)`);
  for (const child of command.commands) throwOnParseErrors(child);
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}
