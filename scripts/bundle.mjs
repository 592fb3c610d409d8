// The program in few files, lib/ from dist/: most of the time a start takes is finding and reading some 200 small modules.
// dist/ stays what tests and benchmarks import parts of.
import { readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkoutDir } from './paths.mjs';

const compiled = join(checkoutDir, 'dist');
const bundled = join(checkoutDir, 'lib');
/** What is started or imported by its path. Policies see the last as 'nodeland'. */
const entries = [
  'src/cli/main.js',
  'src/conformance/guest/main.js',
  'workers/domain.js',
  'workers/simulate.js',
  'src/policy/api.js',
];
/** They start threads or programs of their own files, or are seldom needed. */
const separate = ['esbuild', 'node-gyp-build', 'pino', 'pino-pretty', 'piscina', 'vega', 'vega-lite'];

/** CommonJS modules need a `require`, and each module is to find files from where it was compiled to. */
const banner = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const __lib = import.meta.url.slice(0, import.meta.url.lastIndexOf('/lib/') + '/lib/'.length);`;

const ownPlaces = {
  name: 'own-places',
  setup(bundle) {
    bundle.onLoad({ filter: /\/dist\/(src|workers)\/.*\.js$/ }, ({ path }) => {
      const place = `(__lib + ${JSON.stringify(relative(compiled, path))})`;
      return { contents: readFileSync(path, 'utf8').replace(/\bimport\.meta\.url\b(?!['"`])/g, place) };
    });
  },
};

/** Messages in 50 languages, of which one is used and comes another way. */
const oneLanguage = {
  name: 'one-language',
  setup(bundle) {
    bundle.onResolve({ filter: /\/locales\/index\.js$/ }, ({ importer, path }) =>
      importer.includes('/node_modules/zod/') ? { path, namespace: 'nothing' } : undefined,
    );
    bundle.onLoad({ filter: /./, namespace: 'nothing' }, () => ({ contents: 'export {};' }));
  },
};

/** Writes lib/ anew. */
export async function bundle() {
  // Not at the top: set-up imports this before it has installed anything.
  const { build } = await import('esbuild');
  rmSync(bundled, { recursive: true, force: true });
  await build({
    entryPoints: entries.map((file) => join(compiled, file)),
    outdir: bundled,
    outbase: compiled,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: separate,
    banner: { js: banner },
    plugins: [ownPlaces, oneLanguage],
    logLevel: 'warning',
  });
}
