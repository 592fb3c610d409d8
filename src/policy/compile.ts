/** Turns a policy's files, TypeScript or JavaScript, into one JavaScript module that every thread can import. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildFailure, Message, Plugin } from 'esbuild';
import { EXIT, UserError } from '../cli/errors.js';

/** What `import ... from 'nodeland'` is to a policy, wherever it lies: this installation's own. */
const API_URL = new URL('./api.js', import.meta.url).href;
const MODULE_URL = '__nodelandModuleUrl';
/** So many mistakes are told; the rest may be the same one. */
const MOST_MESSAGES = 10;

/** Compiler makes modules in a folder of its own, which only this user may read. Main thread only. */
export class Compiler {
  private folder: string | undefined;
  private count = 0;

  /**
   * compile bundles a module with what it imports and resolves with the URL of the result, which no earlier module had. Its
   * source map makes errors name the policy's own file and line.
   *
   * @param path - absolute
   * @param name - as the user wrote it
   * @throws UserError (configuration): no such file, or the compiler's messages with file, line and column
   */
  async compile(path: string, name: string): Promise<string> {
    await checkFile(path, name);
    this.folder ??= realpathSync(mkdtempSync(join(tmpdir(), 'nodeland-policy-')));
    const stem = basename(path, extname(path));
    // Only for whoever has a policy to compile: it takes longer to load than most policies.
    const { build, stop } = await import('esbuild');
    const outfile = join(this.folder, `${++this.count}-${stem}.mjs`);
    try {
      await build({
        entryPoints: [path],
        outfile,
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node20',
        sourcemap: 'inline',
        sourcesContent: false,
        // The settings of whatever project lies around the file are none of ours.
        tsconfigRaw: {},
        define: { 'import.meta.url': MODULE_URL },
        plugins: [ownApi, ownUrl],
        logLevel: 'silent',
      });
    } catch (error) {
      if (!isBuildFailure(error)) throw error;
      const lines = error.errors.slice(0, MOST_MESSAGES).map(messageLine);
      throw new UserError(`policy ${name} does not compile:\n${lines.join('\n')}`, EXIT.config, {
        cause: error,
      });
    } finally {
      // Its process would stay.
      await stop();
    }
    return pathToFileURL(outfile).href;
  }

  /** close removes what was made. */
  close(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
    this.folder = undefined;
  }
}

const ownApi: Plugin = {
  name: 'nodeland',
  setup(bundle) {
    bundle.onResolve({ filter: /^nodeland$/ }, () => ({ path: API_URL, external: true }));
  },
};

/** `import.meta.url` stays that of the file it is written in. On the first line, so that line numbers stay too. */
const ownUrl: Plugin = {
  name: 'import-meta-url',
  setup(bundle) {
    bundle.onLoad({ filter: /\.m?[jt]s$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes('import.meta')) return undefined;
      const url = JSON.stringify(pathToFileURL(path).href);
      const loader = path.endsWith('ts') ? 'ts' : 'js';
      return { contents: `const ${MODULE_URL} = ${url}; ${text}`, loader };
    });
  },
};

async function checkFile(path: string, name: string): Promise<void> {
  let problem: string | undefined;
  try {
    if (!(await stat(path)).isFile()) problem = 'not a file';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    problem = code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`;
  }
  if (problem !== undefined) throw new UserError(`policy ${name}: ${problem}`, EXIT.config);
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}

function messageLine({ text, location }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}
