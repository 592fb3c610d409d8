/** Has a running QEMU write down each instruction, through its monitor, and counts them. */
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { InstructionCounts, type Symbols } from './instructions.js';

const CONTEXT_SWITCH = '__switch_to';

/** Window is one stretch of what the machine executed. */
export interface Window {
  readonly counts: InstructionCounts;
  readonly switches: number;
}

/**
 * recordInstructions counts all CPUs' instructions, in `windows` stretches of `instructions` each. The machine goes on
 * being watched, and slow, until it is ended.
 *
 * @param folder - a folder for a pipe, whose path has no blanks
 */
export async function recordInstructions(
  monitorSocket: string,
  folder: string,
  symbols: Symbols,
  instructions: number,
  windows: number,
): Promise<Window[]> {
  const pipe = join(folder, 'instructions');
  execFileSync('mkfifo', [pipe]);
  const done: Window[] = [];
  let counts = new InstructionCounts(symbols);
  // Both ends of a pipe wait for each other to open it.
  const lines = createReadStream(pipe, { encoding: 'latin1', highWaterMark: 1 << 20 });
  const monitor = connect(monitorSocket);
  try {
    monitor.resume();
    monitor.write(`one-insn-per-tb on\nlogfile ${pipe}\nlog exec,nochain\n`);
    let rest = '';
    for await (const chunk of lines) {
      const text = rest + String(chunk);
      const end = text.lastIndexOf('\n') + 1;
      rest = text.slice(end);
      for (let begin = 0; begin < end;) {
        const next = text.indexOf('\n', begin);
        counts.add(text.slice(begin, next));
        begin = next + 1;
      }
      if (counts.instructions < instructions) continue;
      done.push({ counts, switches: counts.calls(CONTEXT_SWITCH) });
      if (done.length === windows) break;
      counts = new InstructionCounts(symbols);
    }
  } finally {
    lines.destroy();
    monitor.destroy();
  }
  return done;
}
