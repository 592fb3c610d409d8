/** The configured plan for a machine, with mistakes reported where the user made them. */
import { EXIT, UserError } from '../cli/errors.js';
import { PlanError } from '../domain/errors.js';
import { type DomainPlan, planDomains } from '../domain/plan.js';
import type { Topology } from '../topology/topology.js';
import type { RunConfig } from './config.js';
import type { SettingKey } from './schema.js';

/**
 * planFor divides the machine as the configuration asks.
 *
 * @throws UserError when the division does not fit the machine or `domainPolicies` names a domain that the
 *   plan has not: 64 for a value from the command line, 78 with file, line and column for one from the file.
 */
export function planFor(topology: Topology, config: RunConfig): DomainPlan {
  let plan: DomainPlan;
  try {
    plan = planDomains(topology, config.domains);
  } catch (error) {
    if (error instanceof PlanError) throw complaint(config, 'domains', error.message);
    throw error;
  }
  const last = plan.domains.length - 1;
  const unknown = Object.keys(config.domainPolicies).filter((domain) => Number(domain) > last);
  if (unknown.length > 0) {
    const named = unknown.join(', ');
    throw complaint(
      config,
      'domainPolicies',
      `no domain ${named} in this plan, whose domains are 0 to ${last}`,
    );
  }
  return plan;
}

function complaint(config: RunConfig, key: SettingKey, text: string): UserError {
  const origin = config.origins.get(key);
  switch (origin?.from) {
    case 'file':
      return new UserError(`${origin.place}: ${key}: ${text}`, EXIT.config);
    case 'command line':
      return new UserError(`--${key}: ${text}`, EXIT.usage);
    case undefined:
      return new UserError(`${key}: ${text}`, EXIT.config);
  }
}
