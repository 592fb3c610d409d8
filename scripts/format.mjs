#!/usr/bin/env node
// `npm run format`: prettier and clang-format over the whole checkout.
import { findCommand, run, runMain, Stop } from './run.mjs';
import { clangFormat, listNativeSources } from './test/stages.mjs';

await runMain(() => {
  const exitCode = run(process.execPath, [
    'node_modules/prettier/bin/prettier.cjs',
    '--write',
    '--log-level=warn',
    '.',
  ]);
  if (exitCode !== 0) return exitCode;
  const sources = listNativeSources();
  if (sources.length === 0) return 0;
  if (!findCommand(clangFormat))
    throw new Stop(`${clangFormat} is not installed; C and C++ are left as they are`);
  return run(clangFormat, ['-i', ...sources]);
});
