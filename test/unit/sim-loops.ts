/** A simulated kernel whose domains have a policy at work. */
import { inboxBytes } from '../../src/handoff/inbox.js';
import { SimKernel, type SimOptions } from '../../src/kernel/sim.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import type { PolicyDefinition } from '../../src/policy/policy.js';
import { stateBytes } from '../../src/policy/state.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';

export const MS = 1e6;
export const SECOND = 1e9;
const SLOTS = 256;

export interface SimLoops {
  readonly kernel: SimKernel;
  readonly loops: readonly DomainLoop[];
}

/** loopsWith makes the kernel, and a loop for each domain; they share state and inboxes, as workers do. */
export function loopsWith(
  policy: PolicyDefinition | string,
  options: Partial<SimOptions> & { readonly policyOptions?: unknown } = {},
): SimLoops {
  const kernel = new SimKernel({ domains: [[0]], ...options });
  const definition = typeof policy === 'string' ? builtinPolicy(policy)! : policy;
  const stateMemory = new ArrayBuffer(stateBytes(definition.state, options.nrSlots ?? SLOTS));
  const inboxMemory = new ArrayBuffer(inboxBytes(kernel.domains.length));
  const loops = kernel.domains.map(
    (_, domain) =>
      new DomainLoop(kernel.arena, {
        domain,
        policy: definition,
        options: parseOptions(definition, options.policyOptions),
        ask: options.askAlways === true ? 'always' : 'auto',
        sliceUs: options.sliceUs ?? 5000,
        stateMemory,
        inboxMemory,
      }),
  );
  loops.forEach((loop, domain) => {
    kernel.attach(domain, () => loop.batch());
  });
  return { kernel, loops };
}
