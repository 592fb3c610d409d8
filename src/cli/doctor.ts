import { Command } from 'commander';
import { loadAddon } from './doctor/addon.js';
import { diagnose, exitCodeOf } from './doctor/checks.js';
import { readFacts } from './doctor/facts.js';
import { renderReport } from './doctor/report.js';

/** doctorCommand says whether nodeland can run here and what to do where it cannot. Changes nothing. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check whether nodeland can run here: kernel, privileges, libraries')
    .option('--json', 'print JSON')
    .action((options: { readonly json?: true }) => {
      const checks = diagnose(readFacts(), loadAddon());
      const exitCode = exitCodeOf(checks);
      const text = options.json
        ? `${JSON.stringify({ canRun: exitCode === 0, exitCode, checks }, null, 2)}\n`
        : renderReport(checks, exitCode);
      process.stdout.write(text);
      process.exitCode = exitCode;
    });
}
