import { Command } from 'commander';

/** demoCommand shows nodeland at work: what `npm start` runs. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'run a mixed load under EEVDF and under nodeland here, and compare (npm start does so in the sandbox)',
    )
    .action(async () => {
      // Before the load under the kernel's own scheduler, which takes its time.
      const { checkMachine } = await import('../supervisor/preflight.js');
      checkMachine();
      const { runDemo } = await import('../supervisor/demo.js');
      process.exitCode = await runDemo();
    });
}
