import { Command } from 'commander';
import { loadConfig } from '../config/config.js';
import { planFor } from '../config/plan.js';
import { planToJson } from '../domain/json.js';
import { renderPlan } from '../domain/render.js';
import { TopologyError, readTopology } from '../topology/read.js';
import type { Topology } from '../topology/topology.js';
import { EXIT, UserError } from './errors.js';
import { configInput } from './run.js';

/** domainsCommand draws the machine and how it would be divided. Needs no privilege. */
export function domainsCommand(): Command {
  return new Command('domains')
    .description('draw this machine and the domains it would be divided into')
    .option('--config <file>', 'settings from a YAML file')
    .option('--domains <spec>', 'node, llc, core, one, or CPU lists "0-3,8-11;4-7" (node)')
    .option('--sysfs <folder>', 'read another sysfs, such as one recorded on another machine', '/sys')
    .option('--json', 'print JSON')
    .action((options: { readonly sysfs: string; readonly json?: true }, command: Command) => {
      const topology = machineAt(options.sysfs);
      const plan = planFor(topology, loadConfig(configInput(command)));
      const text = options.json
        ? `${JSON.stringify(planToJson(plan, topology), null, 2)}\n`
        : renderPlan(plan, topology);
      process.stdout.write(text);
    });
}

function machineAt(sysfsRoot: string): Topology {
  try {
    return readTopology({ sysfsRoot });
  } catch (error) {
    if (error instanceof TopologyError)
      throw new UserError(error.message, EXIT.unavailable, { cause: error });
    throw error;
  }
}
