/** What a running scheduler does for those who ask on its control socket. */
import { EXIT, UserError } from '../cli/errors.js';
import { harmless, show } from '../config/issues.js';
import { defaultSocketPath } from '../control/path.js';
import {
  type Answer,
  type Change,
  type DomainReport,
  PROTOCOL_VERSION,
  type Request,
} from '../control/protocol.js';
import { ControlServer } from '../control/server.js';
import type { Logger } from '../observe/log.js';
import type { PolicyLoader } from '../policy/load.js';
import type { DomainWorker } from './domain-worker.js';
import type { Recordings } from './recordings.js';
import { withOptions } from './policies.js';

/** Served is the run that is asked about. */
export interface Served {
  readonly workers: readonly DomainWorker[];
  readonly recordings: Recordings;
}

/**
 * openControl serves the socket at a path, or where it is by default.
 *
 * @param served - gives the run; undefined until it has begun
 * @returns nothing when it cannot be made where it is by default, which is a warning
 * @throws UserError when another nodeland serves there, or the socket that was asked for cannot be made
 */
export async function openControl(
  path: string | undefined,
  served: () => Served | undefined,
  loader: PolicyLoader,
  log: Logger,
): Promise<ControlServer | undefined> {
  const where = path ?? defaultSocketPath();
  try {
    return await ControlServer.listen(where, (request, gone) => answer(request, gone, served(), loader));
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const text = `no control socket at ${where} (${why})`;
    if (path !== undefined) throw new UserError(text, EXIT.failure, { cause: error });
    log.warn(
      `${text}: policies cannot be changed and nothing recorded while it runs. --socket PATH puts it elsewhere`,
    );
    return undefined;
  }
}

async function answer(
  request: Request,
  gone: AbortSignal,
  served: Served | undefined,
  loader: PolicyLoader,
): Promise<Answer> {
  if (served === undefined) throw new UserError('nodeland is starting', EXIT.unavailable);
  const { workers, recordings } = served;
  const success = { version: PROTOCOL_VERSION, ok: true } as const;
  switch (request.command) {
    case 'policy-list':
      return { ...success, domains: workers.map(report) };
    case 'policy-set':
      return { ...success, changed: await setPolicy(request, workers, loader) };
    case 'record-start':
      return { ...success, recording: await recordings.start(request, gone) };
    case 'record-status':
      return { ...success, recording: recordings.status(gone) };
    case 'record-stop':
      return { ...success, recording: await recordings.stop(gone) };
  }
}

function report(worker: DomainWorker): DomainReport {
  const { chosen, isRunning, failed } = worker.runs();
  const { id, name } = worker.domain;
  return {
    id,
    name,
    policy: chosen.definition.name,
    source: chosen.source,
    options: { ...chosen.options },
    running: isRunning,
    ...(failed === undefined ? {} : { failed }),
  };
}

/** Each domain by itself: where one refuses, the others may have changed already, and the message says which. */
async function setPolicy(
  { domain, policy, options }: Extract<Request, { command: 'policy-set' }>,
  all: readonly DomainWorker[],
  loader: PolicyLoader,
): Promise<Change[]> {
  const workers =
    domain === 'all'
      ? all
      : all.filter(({ domain: { id, name } }) => domain === name || domain === String(id));
  if (workers.length === 0) {
    const known = all.map(({ domain: { id, name } }) => `${id} (${name})`).join(', ');
    throw new UserError(harmless(`no domain ${show(domain)}; there are ${known}, and all`), EXIT.usage);
  }
  if (policy.includes('\0')) throw new UserError('no path has a zero byte in it', EXIT.config);
  const chosen = withOptions(await loader.load(policy), options, (path) =>
    ['--policy-option', ...path].join(': '),
  );
  const results = await Promise.allSettled(workers.map((worker) => worker.setPolicy(chosen)));
  const changed: Change[] = [];
  const problems: string[] = [];
  results.forEach((result, index) => {
    const { id, name } = workers[index].domain;
    if (result.status === 'fulfilled') {
      changed.push({ id, name, ...(result.value === undefined ? {} : { remark: result.value }) });
    } else problems.push(`domain ${name}: ${messageOf(result.reason)}`);
  });
  if (problems.length === 0) return changed;
  if (changed.length > 0) problems.push(`changed: ${changed.map(({ name }) => name).join(', ')}`);
  throw new UserError(problems.join('\n'), EXIT.config);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
