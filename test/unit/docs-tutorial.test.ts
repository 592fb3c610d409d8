/** docs/write-a-policy.md: its policies are written to the file it names, and its commands are executed, in its order. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/write-a-policy.md'), 'utf8');
/** A folder of this test's own in the place of build/tutorial, so that nobody's work is lost. */
const folder = 'build/tutorial-test';
const file = join(root, folder, 'mine.ts');

interface Step {
  readonly language: string;
  readonly text: string;
}

const steps: readonly Step[] = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
  language,
  text: text.replaceAll('build/tutorial', folder),
}));
const needsMachine = ({ text }: Step): boolean => text.includes('sandbox');

const isBuilt = existsSync(join(root, 'dist/src/cli/main.js'));

/** `npx nodeland` is this checkout's. */
function execute(script: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    'sh',
    ['-e', '-c', script.replaceAll('npx nodeland', 'node dist/src/cli/main.js')],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return { status, output: stdout + stderr };
}

describe('docs/write-a-policy.md', () => {
  beforeAll(() => {
    rmSync(join(root, folder), { recursive: true, force: true });
  });

  test('has commands for a simulated kernel and for a real one', () => {
    expect(steps.filter(({ language }) => language === 'ts')).toHaveLength(2);
    expect(steps.filter(needsMachine)).toHaveLength(2);
    expect(steps.every(({ language }) => language === 'ts' || language === 'sh')).toBe(true);
  });

  test('goes from the first policy to one that passes', { timeout: 300_000 }, ({ skip }) => {
    if (!isBuilt) skip('nothing is built');
    const outputs: string[] = [];
    for (const step of steps.filter((each) => !needsMachine(each))) {
      if (step.language === 'ts') writeFileSync(file, step.text);
      else {
        const { status, output } = execute(step.text);
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
    mkdirSync(join(root, folder), { recursive: true });
    const files = steps
      .filter(({ language }) => language === 'ts')
      .map(({ text }, index) => {
        const name = join(root, folder, `shown-${index}.ts`);
        writeFileSync(name, text);
        return name;
      });
    const project = {
      extends: '../../tsconfig.test.json',
      include: ['*.ts'],
      compilerOptions: { incremental: false, paths: { nodeland: ['../../src/policy/api.ts'] } },
    };
    writeFileSync(join(root, folder, 'tsconfig.json'), JSON.stringify({ ...project, include: files }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    expect(execFileSync(process.execPath, [tsc, '-p', join(root, folder)], { encoding: 'utf8' })).toBe('');
  });
});
