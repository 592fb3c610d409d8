/** `npm run bench -- NAME`: the benchmarks. They print figures and leave them in
 * bench/results/; none of them passes or fails by speed, except for `check`. */
import { Command, CommanderError } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { isNativeError } from '../src/kernel/native-addon.js';
import { baselineCommand } from './baseline.js';
import { checkCommand } from './check.js';
import { criticalBenchCommand } from './critical.js';
import { handOffCommand } from './hand-off.js';
import { loopCommand } from './loop.js';
import { peersCommand } from './peers.js';
import { profileCommand } from './profile.js';
import { reportCommand } from './report.js';
import { restBenchCommand } from './rest.js';
import { sandboxBenchCommand } from './sandbox.js';
import { scaleCommand } from './scale.js';
import { sharingBenchCommand } from './sharing.js';
import { startBenchCommand } from './start.js';
import { transportCommand } from './transport.js';

const program = new Command('bench')
  .description('Measures nodeland.')
  .addCommand(transportCommand())
  .addCommand(loopCommand())
  .addCommand(handOffCommand())
  .addCommand(sandboxBenchCommand())
  .addCommand(peersCommand())
  .addCommand(sharingBenchCommand())
  .addCommand(criticalBenchCommand())
  .addCommand(restBenchCommand())
  .addCommand(startBenchCommand())
  .addCommand(profileCommand())
  .addCommand(scaleCommand())
  .addCommand(reportCommand())
  .addCommand(baselineCommand())
  .addCommand(checkCommand());
for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  // commander has printed its message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (isNativeError(error, 'EPERM')) {
    process.stderr.write(`bench: ${error.message}\n`);
    return EXIT.privilege;
  }
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`bench: ${error.message}\n`);
  return error.exitCode;
}
