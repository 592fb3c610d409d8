/** The log: people's lines on a terminal, JSON lines anywhere else. On stderr, so that stdout is free for tables. */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger } from 'pino';

/** createLog makes the process's log. @param verbose - adds detail (level debug) */
export function createLog(verbose: boolean): Logger {
  const level = verbose ? 'debug' : 'info';
  const stream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })
    : pino.destination({ dest: 2, sync: true });
  return pino({ name: 'nodeland', level, base: { pid: process.pid } }, stream);
}
