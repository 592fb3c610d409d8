/** What a sweep can go over: `--sweep cpus=16,64,256`. */
import { type SettingKey } from '../../config/schema.js';
import { harmless, show } from '../../config/issues.js';
import { isNumberOption, type SimInput } from '../../sim/request.js';
import type { SweepAxis } from '../../sim/sweep.js';
import { EXIT, UserError } from '../errors.js';
import { settingValue } from '../run.js';

/** Settings of a run that can be swept, by their option. */
const SETTINGS: Readonly<Record<string, SettingKey>> = {
  policy: 'policy',
  domains: 'domains',
  ask: 'ask',
  'slice-us': 'sliceUs',
  'stall-ms': 'stallMs',
  'steal-us': 'stealUs',
};
const NUMBERS = ['cpus', 'nodes', 'warm-up-ms', 'duration-ms', 'switches', 'seed', 'decision-ns', 'batch-ns'];
const NAMES = [...Object.keys(SETTINGS), 'workload', ...NUMBERS];

/** Axis is one parameter of a sweep with its values, and what they change. */
export interface Axis extends SweepAxis {
  apply(input: SimInput, value: string): SimInput;
}

/** parseAxis reads `name=value,value`. @throws UserError (usage) */
export function parseAxis(text: string): Axis {
  const [, name = '', list = ''] = /^([a-z-]+)=(.+)$/s.exec(text) ?? [];
  const values = list.split(',').map((value) => value.trim());
  if (!NAMES.includes(name) || values.includes('') || new Set(values).size < values.length) {
    const expected = `expected one of ${NAMES.join(', ')}, with different values such as cpus=16,64,256`;
    throw new UserError(harmless(`--sweep: ${expected}; found ${show(text)}`), EXIT.usage);
  }
  return { name, values, apply: (input, value) => applied(input, name, value) };
}

function applied(input: SimInput, name: string, value: string): SimInput {
  if (isNumberOption(name)) return { ...input, numbers: { ...input.numbers, [name]: value } };
  if (name === 'workload') return { ...input, workload: value };
  const key = SETTINGS[name];
  const setting = { option: `--${name}`, value: settingValue(key, value) };
  return { ...input, config: { ...input.config, options: { ...input.config.options, [key]: setting } } };
}
