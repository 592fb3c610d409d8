/** All that a request names, found and checked. */
import { EXIT, UserError } from '../cli/errors.js';
import { loadConfig, type RunConfig } from '../config/config.js';
import { planFor } from '../config/plan.js';
import type { DomainPlan } from '../domain/plan.js';
import { PolicyLoader } from '../policy/load.js';
import { choosePolicies } from '../supervisor/policies.js';
import { groupCpus } from './groups.js';
import { makeMachine } from './machine.js';
import type { SimRequest } from './request.js';
import { loadWorkload } from './workloads/load.js';
import type { WorkloadSpec } from './workloads/schema.js';

/** Prepared is a request with its machine, settings and workload. */
export interface Prepared {
  readonly request: SimRequest;
  readonly config: RunConfig;
  readonly plan: DomainPlan;
  readonly workload: WorkloadSpec;
}

/** prepare finds them. @throws UserError */
export function prepare(request: SimRequest): Prepared {
  const config = loadConfig(request.config);
  const plan = planFor(makeMachine(request), config);
  const unknown = request.faults.find(({ domain }) => domain >= plan.domains.length);
  if (unknown !== undefined) {
    const last = plan.domains.length - 1;
    throw new UserError(`--fault: no domain ${unknown.domain}; there are 0 to ${last}`, EXIT.usage);
  }
  const workload = loadWorkload(request.workload);
  const machine = plan.domains.flatMap(({ cpus }) => cpus);
  for (const [name, group] of Object.entries(workload.groups)) {
    if (groupCpus(group, machine).length > 0) continue;
    const text = `${request.workload}: groups.${name}.cpus: none of these CPUs is in a domain`;
    throw new UserError(text, EXIT.config);
  }
  return { request, config, plan, workload };
}

/** checkRequest finds what is wrong with a request before anything is simulated. @throws UserError */
export async function checkRequest(request: SimRequest): Promise<void> {
  const { config, plan } = prepare(request);
  const loader = new PolicyLoader();
  try {
    await choosePolicies(loader, config, plan.domains.length);
  } finally {
    loader.close();
  }
}
