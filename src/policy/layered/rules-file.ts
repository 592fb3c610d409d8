/** Live reload of the rules file. */
import { statSync, writeSync } from 'node:fs';
import { type Layer, readLayers } from './options.js';

const CHECK_MS = 1000;
const STDERR = 2;

/** A worker's loop never returns to the event loop, so that process.emitWarning and the like would never be printed. */
function toStderr(message: string): void {
  try {
    writeSync(STDERR, `nodeland: ${message}\n`);
  } catch {
    // Nobody reads it.
  }
}

/** RulesFile sees that the file has changed. */
export class RulesFile {
  private stamp: string;
  private checkedMs = -Infinity;

  constructor(
    private readonly file: string,
    private readonly report: (message: string) => void = toStderr,
  ) {
    this.stamp = stampOf(file);
  }

  /**
   * changed looks at the file, at most once a second, and returns its layers when it has changed. When it is not valid, or
   * gone, that is reported once and the old layers stay.
   */
  changed(nowMs: number): readonly Layer[] | undefined {
    if (nowMs - this.checkedMs < CHECK_MS) return undefined;
    this.checkedMs = nowMs;
    const stamp = stampOf(this.file);
    if (stamp === this.stamp) return undefined;
    this.stamp = stamp;
    try {
      return readLayers(this.file);
    } catch (error) {
      this.report(`policy layered goes on with the old rules: ${(error as Error).message}`);
      return undefined;
    }
  }
}

function stampOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return '';
  }
}
