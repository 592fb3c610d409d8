/** The commands of docs/write-a-policy.md that boot a machine, with the policy as it is there by then. */
import { expect, test } from 'vitest';

import { whyNoSandbox } from '../sandbox/guest.js';
import { isBuilt, needsMachine, type Step, Tutorial } from '../tutorial.js';

const tutorial = new Tutorial('tutorial-machine');
const policy = tutorial.steps.findLast(({ language }) => language === 'ts');
const [run, conformance] = tutorial.steps.filter(needsMachine);

function execute(step: Step, skip: (why: string) => void): string {
  const missing = isBuilt ? whyNoSandbox() : 'nothing is built';
  if (missing !== undefined) skip(missing);
  if (policy !== undefined) tutorial.write(policy);
  const { status, output } = tutorial.execute(step);
  expect(status, output).toBe(0);
  return output;
}

test('the tutorial’s policy schedules a real kernel, as its command shows', ({ skip }) => {
  const output = execute(run, skip);
  expect(output).toMatch(/attached/);
  const applied = /^decisions applied +(\d+)/m.exec(output)?.[1];
  expect(Number(applied)).toBeGreaterThan(100);
});

test('and does with real tasks what every policy must', ({ skip }) => {
  expect(execute(conformance, skip)).toMatch(/^mine: \d+ passed, 0 failed$/m);
});
