import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { CACHE_ENTRY, flagsAt, isDirtyEntry, isValidAt, MAX_ORIGIN_BLOCK, originAt, writeEntry } from './mapping.ts';

test('the origin block has the upper 48 bits, flags the lower 16', () => {
  const slab = Slab.ofSize(16);
  CACHE_ENTRY.write(slab, 8, { originBlock: 1000, flags: 1 });
  expect([...slab.bytes.subarray(8)]).toEqual([0x01, 0x00, 0xe8, 0x03, 0, 0, 0, 0]);
  for (const originBlock of [0, 1, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 12_345, MAX_ORIGIN_BLOCK]) {
    for (const flags of [0, 1, 3, 0xffff]) {
      writeEntry(slab.words, 0, originBlock, flags);
      expect(CACHE_ENTRY.read(slab, 0)).toEqual({ originBlock, flags });
      expect([originAt(slab.words, 0), flagsAt(slab.words, 0)]).toEqual([originBlock, flags]);
      expect(isValidAt(slab.words, 0)).toBe((flags & 1) === 1);
    }
  }
});

test('only a mapped block is dirty', () => {
  expect([0, 1, 2, 3].map(isDirtyEntry)).toEqual([false, false, false, true]);
});
