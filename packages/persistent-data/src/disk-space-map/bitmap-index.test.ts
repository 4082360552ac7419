import { expect, test } from 'vitest';
import { emptyIndexEntry } from './bitmap-index.ts';

test('each entry to load into is a new one', () => {
  expect(emptyIndexEntry()).toEqual({ blocknr: 0, nrFree: 0, noneFreeBefore: 0 });
  expect(emptyIndexEntry()).not.toBe(emptyIndexEntry());
});
