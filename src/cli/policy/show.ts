import { Command } from 'commander';
import { z } from 'zod';
import { PolicyLoader } from '../../policy/load.js';
import { schemaOf } from '../../policy/options.js';
import type { PolicyDefinition } from '../../policy/policy.js';

/** What of a JSON schema is shown. */
interface OptionSchema {
  readonly type?: string | readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
}

/** showCommand prints what a policy can be told. */
export function showCommand(): Command {
  return new Command('show')
    .description("a policy's options, with their defaults")
    .argument('<policy>', "a built-in policy's name, or the path of a module")
    .option('--json', 'print JSON, the options as a JSON schema')
    .action(async (name: string, { json }: { readonly json?: true }) => {
      const loader = new PolicyLoader();
      try {
        const { definition } = await loader.load(name);
        const { summary, standing, tickMs } = definition;
        const options = optionSchema(definition);
        const text = json
          ? JSON.stringify({ name: definition.name, summary, standing, tickMs, options }, null, 2)
          : page(definition, options);
        process.stdout.write(`${text}\n`);
      } finally {
        loader.close();
      }
    });
}

function optionSchema(definition: PolicyDefinition): Record<string, unknown> | null {
  const options = schemaOf(definition);
  // What has no counterpart in JSON is shown as anything.
  return options === undefined ? null : z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' });
}

function page({ name, summary }: PolicyDefinition, schema: Record<string, unknown> | null): string {
  const properties = Object.entries((schema?.['properties'] ?? {}) as Record<string, OptionSchema>);
  const head = `${name}: ${summary}\n`;
  if (properties.length === 0) return `${head}\nIt has no options.`;
  const required = (schema?.['required'] ?? []) as readonly string[];
  const rows = properties.map(([key, option]) => [
    key,
    typeOf(option),
    required.includes(key) ? 'required' : option.default === undefined ? '' : JSON.stringify(option.default),
    option.description ?? '',
  ]);
  const all = [['option', 'value', 'default', 'meaning'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  return [head, ...lines].join('\n');
}

function typeOf({ type, enum: names, minimum, maximum }: OptionSchema): string {
  if (names !== undefined) return names.join(', ');
  const text = typeof type === 'string' ? type : 'any';
  return minimum === undefined || maximum === undefined ? text : `${text} ${minimum} to ${maximum}`;
}
