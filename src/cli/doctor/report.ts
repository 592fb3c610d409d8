/** The findings as text for a terminal. */
import { EXIT, type ExitCode } from '../errors.js';
import type { Check } from './checks.js';

const STATE_WIDTH = 'warning'.length;

/** renderReport gives one line for each check, what to do below it, and the verdict. Ends with a newline. */
export function renderReport(checks: readonly Check[], exitCode: ExitCode): string {
  const nameWidth = Math.max(...checks.map((check) => check.name.length));
  const indent = ' '.repeat(STATE_WIDTH + nameWidth + 4);
  const lines = checks.flatMap(({ name, state, found, advice }) => [
    `${state.padEnd(STATE_WIDTH)}  ${name.padEnd(nameWidth)}  ${found}`,
    ...(advice === undefined ? [] : [`${indent}-> ${advice}`]),
  ]);
  return `${lines.join('\n')}\n\n${verdict(exitCode)}\n`;
}

function verdict(exitCode: ExitCode): string {
  switch (exitCode) {
    case EXIT.ok:
      return 'nodeland can run here';
    case EXIT.unavailable:
      return 'nodeland cannot run here: the kernel lacks what it needs (nodeland sandbox brings a kernel that has it)';
    case EXIT.privilege:
      return 'nodeland cannot run here: not enough privilege';
    default:
      return 'nodeland cannot run here yet: see what is missing above';
  }
}
