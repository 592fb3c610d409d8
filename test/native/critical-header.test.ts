import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'nodeland-header-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LANGUAGES = [
  ['cc', 'c', 'c99'],
  ['cc', 'c', 'gnu17'],
  ['c++', 'c++', 'c++11'],
  ['c++', 'c++', 'gnu++20'],
] as const;

describe.each(LANGUAGES)('a program with critical.h, made by %s as %s, %s', (compiler, language, standard) => {
  const program = join(folder, standard);

  test('is made without a warning', () => {
    const options = [`-std=${standard}`, '-Wall', '-Wextra', '-Werror', '-pthread', '-I', path('include')];
    const source = path('test/native/fixtures/critical-header.c');
    execFileSync(compiler, [...options, '-x', language, '-o', program, source]);
  });

  test('sets the request byte of the running thread, and clears it', () => {
    expect(execFileSync(program, { encoding: 'utf8' })).toMatch(/^(?:010\n010|none\nnone)\n$/);
  });

  test('does nothing where the C library has registered no area', () => {
    const env = { ...process.env, GLIBC_TUNABLES: 'glibc.pthread.rseq=0' };
    expect(execFileSync(program, { encoding: 'utf8', env })).toBe('none\nnone\n');
  });
});
