#!/usr/bin/env node
/**
 * Writes src/shm/layout.generated.ts from the BTF of the compiled BPF objects (build/bpf/*.bpf.o), or of bpf/abi.h
 * alone while there are none. With --check it writes nothing and exits 1 when the committed file is stale or the
 * objects disagree. Needs dist/ (run tsc first): the BTF reader is the one the loader uses.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'src/shm/layout.generated.ts');
const check = process.argv.includes('--check');

function fail(message) {
  process.stderr.write(`gen-layout: ${message}\n`);
  process.exit(1);
}

async function fromDist(path) {
  const file = join(root, 'dist/src/shm', path);
  if (!existsSync(file)) fail(`${file} is missing; run tsc first`);
  return import(pathToFileURL(file).href);
}

const { readLayout, hashOf } = await fromDist('layout.js');
const { layoutText } = await fromDist('layout-text.js');

/** Every struct and enum the header defines; struct nl_types must hold each of them. */
const header = readFileSync(join(root, 'bpf/abi.h'), 'utf8');
const declared = [...header.matchAll(/^(struct|enum) (nl_\w+) \{/gm)].map(([, kind, name]) => ({
  kind,
  name,
}));

/** Compiles a sample that holds each type by value, as the objects' own struct nl_types does. */
function compileHeader() {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-layout-'));
  try {
    const source =
      '#include <linux/types.h>\n#include "abi.h"\n' +
      `struct nl_types {\n${declared.map(({ kind, name }, i) => `\t${kind} ${name} t${i};\n`).join('')}};\n` +
      'int nl_types(struct nl_types *types) { return types != 0; }\n';
    writeFileSync(join(folder, 'layout.c'), source);
    const output = join(folder, 'layout.o');
    const include = `/usr/include/${{ x64: 'x86_64', arm64: 'aarch64' }[process.arch] ?? process.arch}-linux-gnu`;
    const flags = [
      '-target',
      'bpf',
      '-g',
      '-O1',
      '-I',
      join(root, 'bpf'),
      '-I',
      include,
      '-c',
      join(folder, 'layout.c'),
    ];
    execFileSync(process.env.CLANG ?? 'clang-19', [...flags, '-o', output], { stdio: 'inherit' });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const objects = join(root, 'build/bpf');
const names = existsSync(objects) ? readdirSync(objects).filter((name) => name.endsWith('.bpf.o')) : [];
const layouts = names.map((name) => ({ name, layout: readLayout(readFileSync(join(objects, name))) }));
if (layouts.length === 0) layouts.push({ name: 'bpf/abi.h', layout: readLayout(compileHeader()) });

const [{ name: firstName, layout }] = layouts;
for (const other of layouts) {
  if (hashOf(other.layout) !== hashOf(layout))
    fail(`${firstName} and ${other.name} have different layouts; rebuild both`);
}
const present = new Set([...layout.structs, ...layout.enums].map((type) => type.name));
const missing = declared.filter(({ name }) => !present.has(name)).map(({ name }) => name);
if (missing.length > 0) fail(`${firstName}: struct nl_types does not hold ${missing.join(', ')}`);

const text = layoutText(layout);
const committed = existsSync(target) ? readFileSync(target, 'utf8') : '';
if (text === committed) {
  process.stdout.write(
    `gen-layout: up to date (${hashOf(layout)}, from ${names.join(', ') || 'bpf/abi.h'})\n`,
  );
} else if (check) {
  fail('src/shm/layout.generated.ts is stale; run `node scripts/gen-layout.mjs` and commit it');
} else {
  writeFileSync(target, text);
  process.stdout.write(`gen-layout: wrote src/shm/layout.generated.ts (${hashOf(layout)})\n`);
}
