import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { readSpaceMapRoot, writeSpaceMapRoot } from './space-map-root.ts';

test('a root is four u64s, and the rest of its area is left alone', () => {
  const slab = Slab.ofSize(64);
  slab.words.fill(0xffff_ffff);
  const root = { nrBlocks: 100, nrAllocated: 6, bitmapRoot: 8, refCountRoot: 2 ** 40 + 7 };
  writeSpaceMapRoot(slab.words, 4, root);
  expect([0, 1, 2, 3].map((i) => slab.view.getBigUint64(16 + 8 * i, true))).toEqual([100n, 6n, 8n, 2n ** 40n + 7n]);
  expect([slab.words[3], slab.words[12]]).toEqual([0xffff_ffff, 0xffff_ffff]);
  expect(readSpaceMapRoot(slab.words, 4)).toEqual(root);
});

test('the root of a real image is read as it is meant', () => {
  const slab = Slab.ofSize(32);
  slab.bytes.set([0, 4, 0, 0, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0x0a]);
  expect(readSpaceMapRoot(slab.words, 0)).toEqual({
    nrBlocks: 1024,
    nrAllocated: 12,
    bitmapRoot: 11,
    refCountRoot: 10,
  });
});
