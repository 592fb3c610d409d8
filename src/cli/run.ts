import { Command } from 'commander';
import { type ConfigInput, loadConfig } from '../config/config.js';
import { ASK_MODES, type SettingKey, WAIT_MODES } from '../config/schema.js';
import { BUILTIN_POLICY_NAMES } from '../policy/builtin-names.js';
import { collect, parsePolicyOptions } from './policy-options.js';

/** Each setting that the command line can give, by commander's name for its option. */
const SETTING_OPTIONS: Readonly<Record<string, { readonly key: SettingKey; readonly option: string }>> = {
  domains: { key: 'domains', option: '--domains' },
  policy: { key: 'policy', option: '--policy' },
  policyOption: { key: 'policyOptions', option: '--policy-option' },
  wait: { key: 'wait', option: '--wait' },
  ask: { key: 'ask', option: '--ask' },
  partial: { key: 'partial', option: '--partial' },
  fastPath: { key: 'fastPath', option: '--no-fast-path' },
  sliceUs: { key: 'sliceUs', option: '--slice-us' },
  stallMs: { key: 'stallMs', option: '--stall-ms' },
  slots: { key: 'slots', option: '--slots' },
  stealUs: { key: 'stealUs', option: '--steal-us' },
  extensionUs: { key: 'extensionUs', option: '--extension-us' },
  balanceMs: { key: 'balanceMs', option: '--balance-ms' },
  balance: { key: 'balanceMs', option: '--no-balance' },
  duration: { key: 'durationS', option: '--duration' },
  stats: { key: 'statsS', option: '--stats' },
  socket: { key: 'socket', option: '--socket' },
};

/** runCommand schedules this machine until it is stopped. Options override the configuration file. */
export function runCommand(): Command {
  return new Command('run')
    .description('schedule this machine until Ctrl-C, --duration or an error (needs root and sched_ext)')
    .option('--config <file>', 'settings from a YAML file; options below override it')
    .option(
      '--domains <spec>',
      'one worker for each: node, llc, core, one, or CPU lists "0-3,8-11;4-7" (node)',
    )
    .option('--policy <name>', `${BUILTIN_POLICY_NAMES.join(', ')} or the path of a policy module (vtime)`)
    .option('--policy-option <key=value>', 'an option of that policy; may be given again', collect)
    .option('--wait <mode>', `how workers wait for tasks: ${WAIT_MODES.join(', ')} (park)`)
    .option(
      '--ask <mode>',
      `${ASK_MODES.join(' or ')}: leave wake-ups to standing orders, or ask for each (auto)`,
    )
    .option('--partial', 'take only tasks of the SCHED_EXT class, not all ordinary ones')
    .option('--no-fast-path', 'ask even when a CPU is idle')
    .option('--slice-us <n>', 'time slice in microseconds, 100 to 100000 (20000)')
    .option('--stall-ms <n>', 'schedule a domain in the kernel when its worker is this late, 5 to 1000 (20)')
    .option(
      '--slots <n>',
      'tasks that workers can know at one time, 256 to 65536; others are scheduled in the kernel (16384)',
    )
    .option('--steal-us <n>', 'an idle CPU takes tasks of other domains that waited longer, 0 to 1000000 (0)')
    .option('--extension-us <n>', 'how long a critical section may delay its preemption, 0 to 10000 (200)')
    .option('--balance-ms <n>', 'how often load is balanced between domains, 500 to 2000; 0 is never (1000)')
    .option('--no-balance', 'the same as --balance-ms 0')
    .option('--duration <seconds>', 'stop after this time')
    .option('--stats <seconds>', 'print a table this often')
    .option('--socket <path>', 'where `nodeland policy` and `record` reach this run (/run/nodeland.sock)')
    .option('-v, --verbose', 'log more')
    .action(async (_options, command: Command) => {
      const config = loadConfig(configInput(command));
      const { runScheduler } = await import('../supervisor/run.js');
      process.exitCode = await runScheduler(config);
    });
}

/** configInput gathers what was typed; options left out are left out here too. */
export function configInput(command: Command): ConfigInput {
  const values: Record<string, unknown> = command.opts();
  const options: NonNullable<ConfigInput['options']> = {};
  for (const [name, { key, option }] of Object.entries(SETTING_OPTIONS)) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    // --no-balance and --no-fast-path give false.
    const value = key === 'balanceMs' && values[name] === false ? 0 : values[name];
    options[key] = { option, value: settingValue(key, value) };
  }
  const file = values['config'];
  return { file: typeof file === 'string' ? file : undefined, options, verbose: values['verbose'] === true };
}

/** settingValue is what was typed for a setting: numbers come as text; what is no number stays, for the schema's message to show. */
export function settingValue(key: SettingKey, value: unknown): unknown {
  if (key === 'policyOptions') return isTexts(value) ? parsePolicyOptions(value) : value;
  const isNumber =
    /(?:Us|Ms|S|^slots)$/.test(key) && typeof value === 'string' && /^[+-]?\d+(?:\.\d+)?$/.test(value);
  return isNumber ? Number(value) : value;
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');
