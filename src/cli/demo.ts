import { Command } from 'commander';

/** demoCommand shows nodeland at work: what `npm start` runs. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('boot the sandbox, schedule a mixed load there for about 20 s and print a summary')
    .action(async () => {
      const { runDemo } = await import('../supervisor/demo.js');
      process.exitCode = await runDemo();
    });
}
