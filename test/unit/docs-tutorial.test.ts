/** docs/write-a-policy.md: its policies are written to the file it names, and its commands are executed, in its order. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { isBuilt, needsMachine, root, Tutorial } from '../tutorial.js';

const tutorial = new Tutorial('tutorial-test');
const { folder, steps } = tutorial;

describe('docs/write-a-policy.md', () => {
  test('has commands for a simulated kernel and for a real one', () => {
    expect(steps.filter(({ language }) => language === 'ts')).toHaveLength(2);
    expect(steps.filter(needsMachine)).toHaveLength(2);
    expect(steps.every(({ language }) => language === 'ts' || language === 'sh')).toBe(true);
  });

  test('goes from the first policy to one that passes', { timeout: 300_000 }, ({ skip }) => {
    if (!isBuilt) skip('nothing is built');
    const outputs: string[] = [];
    for (const step of steps.filter((each) => !needsMachine(each))) {
      if (step.language === 'ts') tutorial.write(step);
      else {
        const { status, output } = tutorial.execute(step);
        expect(status, output).toBe(0);
        if (output !== '') outputs.push(output);
      }
    }
    const [first, second, last] = outputs;
    expect(first).toMatch(/^FAIL weights/m);
    expect(first).toMatch(/^mine: \d+ passed, 1 failed/m);
    expect(second).toMatch(/^mine: \d+ passed, 0 failed$/m);
    expect(last).toMatch(/^mine: \d+ passed, 0 failed$/m);
  });

  test('shows policies that the compiler accepts', { timeout: 120_000 }, () => {
    const files = steps
      .filter(({ language }) => language === 'ts')
      .map(({ text }, index) => {
        const name = join(folder, `shown-${index}.ts`);
        writeFileSync(name, text);
        return name;
      });
    const project = {
      extends: '../../tsconfig.test.json',
      include: ['*.ts'],
      compilerOptions: { incremental: false, paths: { nodeland: ['../../src/policy/api.ts'] } },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...project, include: files }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    expect(execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })).toBe('');
  });
});
