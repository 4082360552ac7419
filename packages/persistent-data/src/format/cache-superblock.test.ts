import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { Slab } from '../base/index.ts';
import { CACHE_MAGIC, CACHE_SUPERBLOCK, CACHE_SUPERBLOCK_VALIDATOR } from './cache-superblock.ts';

const superblockOf = (name: string): Slab => {
  const slab = Slab.ofSize(4096);
  slab.bytes.set(goldenImage('cache', name).bytes().subarray(0, 4096));
  return slab;
};

test('fields lie where the kernel has them', () => {
  const offsets = ['magic', 'version', 'mappingRoot', 'cacheBlocks', 'policyVersion', 'dirtyRoot'] as const;
  expect(offsets.map((name) => CACHE_SUPERBLOCK.offset(name))).toEqual([0x20, 0x28, 0xc0, 0xf0, 0x110, 0x11c]);
  expect(CACHE_MAGIC).toBe(0x0018c403);
});

test('the kernel’s superblocks are believed, and sealed as they are', () => {
  for (const name of ['v1-clean', 'v2-live']) {
    const slab = superblockOf(name);
    CACHE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0);
    const before = slab.words[0];
    CACHE_SUPERBLOCK_VALIDATOR.seal(slab, 0, 0);
    expect(slab.words[0]).toBe(before);
  }
});

test('another magic, and a changed field, are told', () => {
  const slab = superblockOf('v2-clean');
  slab.words[CACHE_SUPERBLOCK.word('cacheBlocks')]!++;
  expect(() => CACHE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow(/cache_superblock block 0: csum is/);
  slab.words[CACHE_SUPERBLOCK.word('magic')] = 6142003;
  expect(() => CACHE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow('magic is 6142003, 1623043 is wanted');
});
