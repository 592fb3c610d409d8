import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { sandboxAvailable } from '../../src/sandbox/available.js';
import { runInSandbox } from '../../src/sandbox/run.js';
import { BpfObjects, fixture } from '../native/bpf-objects.js';

const kernels = ['6.18', '7.3'];

test.for(kernels)(
  'a session attaches, detaches and is refused as it should on %s',
  async (kernel, { skip }) => {
    const available = sandboxAvailable(kernel);
    if (!available.ok) skip(available.reason);
    const objects = new BpfObjects(fileURLToPath(new URL('../../build/test', import.meta.url)));
    try {
      const command = [process.execPath, fixture('attach.mjs'), objects.compile('probe')];
      const result = await runInSandbox({ command, kernel, cpus: 2, nodes: 1, timeoutSeconds: 300 });
      expect(result.output).toContain('attached and detached');
      expect(result.exitCode).toBe(0);
    } finally {
      objects.remove();
    }
  },
);
