/** Runs a command and turns whatever it throws into a message and an exit code. */
import { CommanderError } from 'commander';
import { EXIT, UserError } from './errors.js';
import { createProgram } from './program.js';

// A reader that leaves early (`nodeland domains | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/** Prints what the user should see of an error and gives the exit code. */
function report(error: unknown): number {
  // commander has printed its message (or the help asked for) already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UserError) {
    process.stderr.write(`nodeland: ${error.message}\n`);
    if (wantsStacks()) process.stderr.write(causes(error));
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`nodeland: ${message.split('\n', 1)[0] ?? ''}\n`);
  if (wantsStacks()) process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`);
  else process.stderr.write('nodeland: NODELAND_DEBUG=1 shows where this came from\n');
  return EXIT.failure;
}

function wantsStacks(): boolean {
  const end = process.argv.indexOf('--');
  const own = end < 0 ? process.argv : process.argv.slice(0, end);
  return process.env['NODELAND_DEBUG'] !== undefined || own.includes('-v') || own.includes('--verbose');
}

/** What lies behind a user's mistake, for whoever asks: one line for each cause. */
function causes(error: Error): string {
  let text = '';
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    text += `  because: ${cause.message}\n`;
  return text;
}
