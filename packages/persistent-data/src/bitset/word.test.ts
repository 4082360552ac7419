import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { ALL_BITS, BITSET_WORD, maskOf, popcount, wordsFor } from './word.ts';

test('words are 64 bits, low half first', () => {
  const slab = Slab.ofSize(16);
  BITSET_WORD.write(slab, 8, 0x0123_4567_89ab_cdefn);
  expect([...slab.bytes.subarray(8)]).toEqual([0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]);
  expect(BITSET_WORD.read(slab, 8)).toBe(0x0123_4567_89ab_cdefn);
  BITSET_WORD.write(slab, 0, ALL_BITS);
  expect(BITSET_WORD.read(slab, 0)).toBe(ALL_BITS);
  expect([0, 1, 64, 65].map(wordsFor)).toEqual([0, 1, 1, 2]);
});

test('masks and counts of 32 bits', () => {
  for (let begin = 0; begin <= 32; begin++) {
    for (let end = 0; end <= 32; end++) {
      const mask = maskOf(begin, end);
      expect(popcount(mask)).toBe(Math.max(end - begin, 0));
      if (end > begin) expect([mask & -mask, mask >>> 0]).toEqual([1 << begin, (2 ** end - 2 ** begin) >>> 0]);
    }
  }
});
