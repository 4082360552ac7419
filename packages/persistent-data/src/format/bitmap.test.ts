import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { BITMAP_VALIDATOR, bitmapCount, bitmapToString, bitmapUsedMask, setBitmapCount } from './bitmap.ts';

test.each([
  // count, raw two-bit number: the lower bit of a pair has weight 2.
  [0, 0],
  [1, 2],
  [2, 1],
  [3, 3],
])('count %i is stored as the raw field %i', (count, raw) => {
  const slab = Slab.ofSize(4096);
  for (let bit = 0; bit < 16; bit++) {
    setBitmapCount(slab.words, 0, bit, count);
    expect((slab.bytes[16 + (bit >> 2)]! >> (2 * (bit & 3))) & 3).toBe(raw);
    expect(bitmapCount(slab.words, 0, bit)).toBe(count);
  }
});

test('the bitmaps of a real image say what they are known to say', () => {
  const slab = Slab.ofSize(3 * 4096);
  slab.bytes.set([0x00, 0x00, 0xf0, 0x05, 0x00, 0x02, 0x00, 0x20], 16);
  expect(bitmapToString(slab, 0, 32)).toBe('00000000003322000000100000000010');
  slab.bytes.set([0xaa, 0xaa, 0xaa], 4096 + 16);
  expect(bitmapToString(slab, 1024, 14)).toBe('11111111111100');
});

test('counts are set one by one, anywhere in a block, and touch nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(16319), fc.nat(3)), { maxLength: 60 }), (changes) => {
      const slab = Slab.ofSize(3 * 4096);
      slab.words.fill(0xdead_beef, 0, 1024 + 4).fill(0xdead_beef, 2048);
      const model = new Map<number, number>();
      for (const [bit, count] of changes) {
        setBitmapCount(slab.words, 1024, bit, count);
        model.set(bit, count);
      }
      const counts = new Map<number, number>();
      const used = new Set<number>();
      for (let bit = 0; bit < 16320; bit++) {
        const count = bitmapCount(slab.words, 1024, bit);
        if (count > 0) counts.set(bit, count);
        if ((bitmapUsedMask(slab.words, 1024, bit >> 4) >>> (2 * (bit & 15))) & 1) used.add(bit);
      }
      for (const [bit, count] of model) if (count === 0) model.delete(bit);
      expect(counts).toEqual(new Map([...model].sort(([a], [b]) => a - b)));
      expect(used).toEqual(new Set(counts.keys()));
      expect(slab.words.subarray(0, 1028).every((word) => word === 0xdead_beef)).toBe(true);
      expect(slab.words.subarray(2048).every((word) => word === 0xdead_beef)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('`bitmapUsedMask` has one bit for each used entry, whatever its count', () => {
  const slab = Slab.ofSize(4096);
  for (let bit = 32; bit < 48; bit++) setBitmapCount(slab.words, 0, bit, 1 + (bit % 3));
  expect([1, 2, 3].map((word) => bitmapUsedMask(slab.words, 0, word))).toEqual([0, 0x5555_5555, 0]);
});

test('a bitmap block is sealed with its number at offset 8', () => {
  const slab = Slab.ofSize(4096);
  slab.bytes.set([0xaa, 0xaa, 0xaa], 16);
  BITMAP_VALIDATOR.seal(slab, 0, 9);
  expect(Array.from(slab.bytes.subarray(0, 20))).toEqual([
    0xf1, 0x19, 0x67, 0x9e, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0,
  ]);
  BITMAP_VALIDATOR.check(slab, 0, 9);
});
