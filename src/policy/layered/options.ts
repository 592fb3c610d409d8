/** The options of `layered`, and its rules file. */
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { LIMIT } from '../../shm/layout.generated.js';
import { parseCpuList } from '../../topology/cpulist.js';
import { taskMatch } from '../lib/task-rules.js';

const FILE_MAX_BYTES = 1 << 20;

const cpuList = z.string().refine((text) => {
  try {
    return parseCpuList(text).length > 0;
  } catch {
    return false;
  }
}, 'not a CPU list');

const layer = z.strictObject({
  name: z.string().optional(),
  /** All conditions of a match must hold; of several matches one. Without it every task is matched. */
  match: z.union([taskMatch, z.array(taskMatch).min(1)]).default({}),
  /** Instead of the task's own weight; 100 is nice 0. */
  weight: z.int().min(1).max(10_000).optional(),
  /** The default slice unless said. */
  sliceUs: z.int().min(LIMIT.SLICE_MIN_US).max(LIMIT.SLICE_MAX_US).optional(),
  /** So much later (or, below 0, earlier) than by its vtime a task is queued. */
  offsetUs: z.int().min(-1_000_000).max(1_000_000).default(0),
  /** The domains its tasks may be in; or `spread`: each begins in the next domain, by turns. */
  domains: z
    .union([
      z.literal('spread'),
      z
        .array(
          z
            .int()
            .min(0)
            .max(LIMIT.MAX_DOMAINS - 1),
        )
        .min(1),
    ])
    .optional(),
  /** The CPUs its tasks are sent to, as 0-3,8. */
  cpus: cpuList.optional(),
});

export type Layer = z.output<typeof layer>;

const layers = z.array(layer).max(256);
const rulesFile = z.strictObject({ layers });

export const options = z
  .strictObject({
    layers: layers.optional(),
    /** A YAML file with `layers`, which is read again when it changes. */
    file: z.string().min(1).optional(),
    /** A standing order is valid for so many wake-ups ... */
    orderWakes: z.int().min(1).max(1_000_000).default(64),
    /** ... and for so many milliseconds. */
    orderValidMs: z.int().min(1).max(10_000).default(1000),
    /** Where cgroups are. */
    cgroupRoot: z.string().startsWith('/').default('/sys/fs/cgroup'),
  })
  .refine(({ layers, file }) => layers === undefined || file === undefined, 'give layers or file, not both');

export type LayeredOptions = z.output<typeof options>;

/**
 * readLayers reads a rules file.
 *
 * @throws Error that names the file and what is wrong in it
 */
export function readLayers(file: string): readonly Layer[] {
  const fail = (message: string): Error => new Error(`${file}: ${message}`);
  let content: unknown;
  try {
    if (statSync(file).size > FILE_MAX_BYTES) throw fail(`longer than ${FILE_MAX_BYTES} bytes`);
    content = parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
  const parsed = rulesFile.safeParse(content);
  if (parsed.success) return parsed.data.layers;
  throw fail(
    parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`).join('; '),
  );
}
