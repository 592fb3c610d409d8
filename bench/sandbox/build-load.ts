/** A parallel build: make and the C compiler over small files, made here. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limited } from './loads.js';

const FUNCTIONS_OF_EACH = 5;

/** One file: loops enough that the compiler has something to do beside starting. */
function sourceText(file: number): string {
  const functions = Array.from(
    { length: FUNCTIONS_OF_EACH },
    (_, index) => `int f${file}_${index}(int n) {
  int sum = ${index};
  for (int i = 0; i < n; i++)
    sum += i % ${index + 2} ? sum >> 1 : n * i;
  return sum;
}`,
  );
  return `#include <stdio.h>\n${functions.join('\n')}\n`;
}

const makefileText = (files: number): string =>
  `all:${Array.from({ length: files }, (_, file) => ` f${file}.o`).join('')}\n%.o: %.c\n\t@cc -O1 -c -o $@ $<\n`;

/** buildSeconds compiles that many files with `jobs` compilers at a time, in a folder that is gone afterwards. */
export async function buildSeconds(files: number, jobs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'build-'));
  try {
    await writeFile(join(folder, 'Makefile'), makefileText(files));
    for (let file = 0; file < files; file++) await writeFile(join(folder, `f${file}.c`), sourceText(file));
    const start = performance.now();
    await limited('make', ['-s', '-C', folder, '-j', jobs]);
    return (performance.now() - start) / 1000;
  } finally {
    await rm(folder, { recursive: true });
  }
}
