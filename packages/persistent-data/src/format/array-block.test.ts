import { expect, test } from 'vitest';
import { CorruptionError, Slab } from '../base/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor } from './array-block.ts';

function block(valueSize: number, nrEntries: number): ArrayBlockView {
  const view = new ArrayBlockView(Slab.ofSize(2 * 4096), 1024);
  view.setHeader(valueSize);
  view.nrEntries = nrEntries;
  return view;
}

test.each([
  [8, 509],
  [4, 1018],
  [1, 4072],
])('an array block of %i-byte values has room for %i', (valueSize, max) => {
  expect(arrayEntriesFor(valueSize)).toBe(max);
  const view = block(valueSize, max);
  expect([view.maxEntries, view.nrEntries, view.valueSize]).toEqual([max, max, valueSize]);
  expect(view.valueAt(0)).toBe(4096 + 24);
  expect(view.valueAt(max)).toBeLessThanOrEqual(2 * 4096);
});

test('the worked example of the format has its bytes', () => {
  const view = block(8, 70);
  view.slab.view.setBigUint64(view.valueAt(0), 0x5_0001n, true);
  view.slab.view.setBigUint64(view.valueAt(1), 0x9_0001n, true);
  ARRAY_VALIDATOR.seal(view.slab, 1024, 2);
  // The rest of that block is not in the docs, so neither is a checksum of ours to compare.
  expect(Array.from(view.slab.bytes.subarray(4096 + 4, 4096 + 40))).toEqual([
    0xfd, 1, 0, 0, 0x46, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5, 0, 0, 0, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0,
  ]);
  ARRAY_VALIDATOR.check(view.slab, 1024, 2);
});

test.each([
  ['maxEntries', [510, 1, 8], 'room for maxEntries 510 of valueSize 8 in 4096 bytes'],
  ['maxEntries', [0xffff_ffff, 1, 0xffff_ffff], 'room for maxEntries 4294967295 of valueSize 4294967295 in 4096 bytes'],
  ['nrEntries', [509, 510, 8], 'at most maxEntries 509'],
] as const)('the validator refuses an impossible %s: %j', (field, [max, nr, size], expected) => {
  const view = block(8, 1);
  view.words.set([max, nr, size], 1024 + 1);
  ARRAY_VALIDATOR.seal(view.slab, 1024, 2);
  const found = field === 'maxEntries' ? max : nr;
  try {
    ARRAY_VALIDATOR.check(view.slab, 1024, 2);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptionError);
    expect(error).toMatchObject({ block: 2, kind: 'array_block', field, found, expected });
  }
});
