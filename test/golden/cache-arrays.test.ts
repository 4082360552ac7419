/**
 * Arrays and bitsets are placed as Linux places them: the metadata of a new cache that was closed at once, made through the library, gives the
 * blocks of the recorded device, all but the superblock. The steps are those of FORMAT-cache §7: format, size on first use, suspend.
 */

import { PersistentArray } from 'persistent-data/array';
import { Bitset } from 'persistent-data/bitset';
import { BlockManager } from 'persistent-data/block-manager';
import { PLAIN_U32, PLAIN_U64 } from 'persistent-data/btree';
import { createMetadata, type Metadata } from 'persistent-data/disk-space-map';
import { NODE_VALIDATOR } from 'persistent-data/format';
import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { goldenImage } from './image.ts';

const NR_BLOCKS = 1024;
const CACHE_BLOCKS = 512;
const DISCARD_BLOCKS = 4096;

/** A commit whose superblock is of no interest. */
function commit({ tm }: Metadata): void {
  tm.preCommit();
  tm.commit(tm.blockManager.writeLockZero(0, NODE_VALIDATOR));
}

function newCache(version: 1 | 2): { device: MemoryDevice; roots: number[] } {
  const device = new MemoryDevice({ nrBlocks: NR_BLOCKS });
  const metadata = createMetadata(new BlockManager(device));
  const { tm } = metadata;
  const mappings = new PersistentArray(tm, PLAIN_U64);
  const hints = new PersistentArray(tm, PLAIN_U32);
  // Format.
  let mapping = mappings.empty();
  let dirty = version === 2 ? Bitset.create(tm, 0) : undefined;
  const discards = Bitset.create(tm, 0);
  commit(metadata);
  // First use.
  mapping = mappings.resize(mapping, 0, CACHE_BLOCKS, 0);
  dirty?.resize(0, CACHE_BLOCKS, false);
  dirty?.flush();
  commit(metadata);
  // Suspend: version 2 makes its dirty bitset anew.
  if (dirty !== undefined) {
    dirty.delete();
    dirty = Bitset.create(tm, CACHE_BLOCKS);
  }
  discards.resize(0, DISCARD_BLOCKS, false);
  for (let b = 0; b < DISCARD_BLOCKS; b++) discards.clear(b);
  const hint = hints.create(CACHE_BLOCKS, () => 0);
  const discard = discards.flush();
  commit(metadata);
  return { device, roots: [mapping, hint, discard] };
}

test.each([
  [1, [8, 14, 13]],
  [2, [9, 19, 18]],
] as const)('a new cache of version %i', (version, roots) => {
  const made = newCache(version);
  expect(made.roots).toEqual(roots);
  const ours = made.device.toBytes();
  const theirs = goldenImage('cache', `v${version}-empty`).bytes();
  const differing: number[] = [];
  for (let b = 1; b < NR_BLOCKS; b++) {
    const [found, wanted] = [ours, theirs].map((bytes) => Buffer.from(bytes.buffer, 4096 * b, 4096));
    if (!found!.equals(wanted!)) differing.push(b);
  }
  expect(differing).toEqual([]);
});
