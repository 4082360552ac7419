import fs from 'node:fs';
import { expect, test, vi } from 'vitest';
import { UnsupportedError } from '../base/index.ts';
import { builtinModule } from './platform.ts';

test('`builtinModule()` gives the modules of the host', () => {
  expect(builtinModule('node:fs').openSync).toBe(fs.openSync);
});

test('`builtinModule()` is an `UnsupportedError` where there is none, as in a browser', () => {
  vi.stubGlobal('process', undefined);
  try {
    expect(() => builtinModule('node:fs')).toThrow(UnsupportedError);
  } finally {
    vi.unstubAllGlobals();
  }
});
