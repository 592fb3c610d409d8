import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** A machine on one thread, like those of the faults: it may run beside one of them. */
const COUNTS_INSTRUCTIONS = 'test/sandbox/record.test.ts';

const minutesMs = (minutes: number): number => minutes * 60_000;

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: { nodeland: fileURLToPath(new URL('src/policy/api.ts', import.meta.url)) } },
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          pool: 'forks',
          testTimeout: minutesMs(0.5),
        },
      },
      {
        // Each test fills memory with the states of a model: one at a time. NODELAND_MODEL=large takes minutes.
        test: {
          name: 'model',
          include: ['test/model/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: minutesMs(10),
        },
      },
      {
        // Real BPF objects: one file at a time, so that a test that looks at the kernel's state sees its own.
        test: {
          name: 'native',
          include: ['test/native/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: minutesMs(2),
          hookTimeout: minutesMs(2),
        },
      },
      {
        // Each file boots machines in QEMU, which may have to emulate the CPU.
        test: {
          name: 'sandbox',
          include: ['test/sandbox/**/*.test.ts'],
          exclude: [COUNTS_INSTRUCTIONS],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: minutesMs(10),
          hookTimeout: minutesMs(10),
        },
      },
      {
        // What policies and sharing come to with real tasks: `npm run test:policies`.
        test: {
          name: 'policies',
          include: ['test/policies/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: minutesMs(45),
          hookTimeout: minutesMs(45),
        },
      },
      {
        // What goes wrong, injected under load. Guest time counts instructions, so two machines may run side by side.
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts', COUNTS_INSTRUCTIONS],
          exclude: ['test/faults/soak/**'],
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: minutesMs(1),
          hookTimeout: minutesMs(45),
        },
      },
      {
        // The long versions: `npm run test:soak`. One after another: in one of them time is the host's.
        test: {
          name: 'soak',
          include: ['test/faults/soak/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: minutesMs(1),
          hookTimeout: minutesMs(60),
        },
      },
      {
        // 32 CPUs in 8 nodes: `npm run test:manycore`, not part of `npm test`.
        test: {
          name: 'manycore',
          include: ['test/manycore/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: minutesMs(30),
          hookTimeout: minutesMs(30),
        },
      },
    ],
  },
});
