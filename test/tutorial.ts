/** docs/write-a-policy.md as steps: what it writes to its file, and its commands, in its order. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../', import.meta.url));
const page = readFileSync(join(root, 'docs/write-a-policy.md'), 'utf8');
export const isBuilt = existsSync(join(root, 'lib/src/cli/main.js'));

/** `sh` is executed; `ts` is what the file holds from there on. */
export interface Step {
  readonly language: string;
  readonly text: string;
}

/** One of the commands that boot a machine. */
export const needsMachine = ({ text }: Step): boolean => text.includes('sandbox');

/** Tutorial is the page with a folder of a test's own in the place of build/tutorial, so that nobody's work is lost. */
export class Tutorial {
  readonly steps: readonly Step[];
  readonly folder: string;

  /** @param folder - under build/ */
  constructor(private readonly name: string) {
    this.folder = join(root, 'build', name);
    this.steps = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
      language,
      text: text.replaceAll('build/tutorial', `build/${this.name}`),
    }));
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
  }

  write({ text }: Step): void {
    writeFileSync(join(this.folder, 'mine.ts'), text);
  }

  /** execute runs a step's commands, with this checkout as `npx nodeland`. */
  execute({ text }: Step): { readonly status: number | null; readonly output: string } {
    const script = text.replaceAll('npx nodeland', 'node lib/src/cli/main.js');
    const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', script], { cwd: root, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }
}
