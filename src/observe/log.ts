/** The log: people's lines on a terminal, JSON lines anywhere else. On stderr, so that stdout is free for tables. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** createLog makes the process's log. @param verbose - adds detail (level debug) */
export async function createLog(verbose: boolean): Promise<Logger> {
  const level = verbose ? 'debug' : 'info';
  const stream = process.stderr.isTTY ? await forPeople() : pino.destination({ dest: 2, sync: true });
  return pino({ name: 'nodeland', level, base: { pid: process.pid } }, stream);
}

async function forPeople(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
}
