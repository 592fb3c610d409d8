/** All that a request names, found and checked. */
import { EXIT, UserError } from '../cli/errors.js';
import { loadConfig, type RunConfig } from '../config/config.js';
import { planFor } from '../config/plan.js';
import type { DomainPlan } from '../domain/plan.js';
import { PolicyLoader } from '../policy/load.js';
import { choosePolicies } from '../supervisor/policies.js';
import type { Topology } from '../topology/topology.js';
import { groupCpus } from './groups.js';
import { readRecording, type Recording } from '../record/read.js';
import { topologyOf } from '../record/machine.js';
import { type MachineSize, makeMachine } from './machine.js';
import type { SimRequest } from './request.js';
import { loadWorkload } from './workloads/load.js';
import type { WorkloadSpec } from './workloads/schema.js';

/** Prepared is a request with its machine, settings, and what is to be done there. */
export interface Prepared {
  readonly request: SimRequest;
  readonly config: RunConfig;
  readonly machine: MachineSize;
  readonly plan: DomainPlan;
  readonly work:
    | { readonly kind: 'workload'; readonly spec: WorkloadSpec }
    | { readonly kind: 'replay'; readonly recording: Recording };
}

/** prepare finds them. @throws UserError */
export function prepare(request: SimRequest): Prepared {
  const config = loadConfig(request.config);
  const recording = request.isReplay ? readRecording(request.workload) : undefined;
  const topology = topologyFor(request, recording);
  const plan = planFor(topology, config);
  const unknown = request.faults.find(({ domain }) => domain >= plan.domains.length);
  if (unknown !== undefined) {
    const last = plan.domains.length - 1;
    throw new UserError(`--fault: no domain ${unknown.domain}; there are 0 to ${last}`, EXIT.usage);
  }
  const machine = { cpus: topology.online.length, nodes: topology.nodes.length };
  const prepared = { request, config, machine, plan };
  if (recording !== undefined) return { ...prepared, work: { kind: 'replay', recording } };
  return { ...prepared, work: { kind: 'workload', spec: workloadFor(request, plan) } };
}

function topologyFor({ machine, workload }: SimRequest, recording: Recording | undefined): Topology {
  if (machine !== undefined) return makeMachine(machine);
  if (recording === undefined) throw new Error(`no machine for ${workload}`);
  return topologyOf(recording.header.machine);
}

function workloadFor(request: SimRequest, { domains }: DomainPlan): WorkloadSpec {
  const workload = loadWorkload(request.workload);
  const cpus = domains.flatMap((domain) => domain.cpus);
  for (const [name, group] of Object.entries(workload.groups)) {
    if (groupCpus(group, cpus).length > 0) continue;
    const text = `${request.workload}: groups.${name}.cpus: none of these CPUs is in a domain`;
    throw new UserError(text, EXIT.config);
  }
  return workload;
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
