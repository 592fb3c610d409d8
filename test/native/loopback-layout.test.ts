import { readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';

import { layoutHashOf, LayoutError, assertLayout } from '../../src/shm/layout.js';
import { LAYOUT_HASH } from '../../src/shm/layout.generated.js';
import { LOOPBACK_OBJECT, whyNoLoopback } from './loopback.js';
import { renameInObject } from './doctored-object.js';

const missing = whyNoLoopback();
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

test('the built object has the layout that TypeScript was built for', () => {
  expect(layoutHashOf(readFileSync(LOOPBACK_OBJECT))).toBe(LAYOUT_HASH);
});

test('an object with another layout is refused, with both hashes and what to do', () => {
  const doctored = renameInObject(readFileSync(LOOPBACK_OBJECT), 'decision_tail', 'decision_tali');
  const other = layoutHashOf(doctored);
  expect(other).not.toBe(LAYOUT_HASH);
  const attempt = (): void => assertLayout(doctored, 'doctored.bpf.o', LAYOUT_HASH);
  expect(attempt).toThrow(LayoutError);
  expect(attempt).toThrow(
    new RegExp(`doctored\\.bpf\\.o has memory layout ${other}.*expects ${LAYOUT_HASH}.*npm run build`),
  );
});

test('what is not part of the contract may change', () => {
  const doctored = renameInObject(readFileSync(LOOPBACK_OBJECT), 'rescue_cursor', 'rescue_cursed');
  expect(layoutHashOf(doctored)).toBe(LAYOUT_HASH);
});
