/** Bugs that cache metadata had, each with its story. */

import { CorruptionError } from 'persistent-data/base';
import { CacheMetadata } from 'persistent-data/cache';
import { CACHE_SUPERBLOCK, CACHE_SUPERBLOCK_VALIDATOR } from 'persistent-data/format';
import { CachePatient } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { makeCache } from '../structures/cache-fixture.ts';

test('a cache whose superblock makes blocks up is not shrunk block by block', () => {
  // What happened: shrinking hostile metadata of 4 billion cache blocks took eight minutes.
  // Why: the search for dirty blocks passed over blocks without a mapping's place, and looked for each of the 2^32.
  // Now: the first block beyond the end of the mappings is a corruption.
  const device = makeCache(2);
  const superblock = new CachePatient(device).open(0, CACHE_SUPERBLOCK_VALIDATOR);
  const { offset } = CACHE_SUPERBLOCK.fields.find(({ name }) => name === 'cacheBlocks')!;
  const nrMapped = superblock.slab.words[offset / 4]!;
  superblock.slab.words[offset / 4] = 0xffff_ffff;
  superblock.write();
  const cache = CacheMetadata.open(device);
  expect(cache.cacheBlocks).toBe(0xffff_ffff);
  expect(() => cache.resize(nrMapped)).toThrow(CorruptionError);
});
