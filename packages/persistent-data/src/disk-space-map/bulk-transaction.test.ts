import { expect, test } from 'vitest';
import { BlockManager } from '../block-manager/index.ts';
import { BtreeBuilder, PLAIN_U64 } from '../btree/index.ts';
import {
  readSpaceMapRoot,
  type SpaceMapRoot,
  THIN_MAGIC,
  THIN_SUPERBLOCK,
  THIN_SUPERBLOCK_VALIDATOR,
  writeSpaceMapRoot,
} from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { BulkTransaction, type FillSuperblock } from './bulk-transaction.ts';
import { openMetadata } from './open-metadata.ts';

const AREA = THIN_SUPERBLOCK.word('metadataSpaceMapRoot');

const fill: FillSuperblock = (slab, base, root: SpaceMapRoot) => {
  slab.words[base + THIN_SUPERBLOCK.word('magic')] = THIN_MAGIC;
  writeSpaceMapRoot(slab.words, base + AREA, root);
};

test('until it is finished there is no superblock; then all counts are on the disk', () => {
  const device = new MemoryDevice({ nrBlocks: 100 });
  const bulk = new BulkTransaction(device, THIN_SUPERBLOCK_VALIDATOR, 32);
  expect(bulk.nrBlocks).toBe(100);
  bulk.begin('being made\n', fill);
  const read = () => new BlockManager(device, { cacheBlocks: 32 }).read(0, THIN_SUPERBLOCK_VALIDATOR);
  expect(read).toThrow('csum');
  const builder = new BtreeBuilder(bulk.tm, PLAIN_U64);
  for (let i = 0; i < 1000; i++) builder.add(0, i, i);
  const root = builder.finish();
  bulk.tm.inc(root);
  expect(read).toThrow('csum');
  bulk.finish(fill);
  const blockManager = new BlockManager(device, { cacheBlocks: 32 });
  const base = blockManager.read(0, THIN_SUPERBLOCK_VALIDATOR);
  const { spaceMap } = openMetadata(blockManager, readSpaceMapRoot(blockManager.slab.words, base + AREA));
  expect(spaceMap.getCount(root)).toBe(2);
  // The superblock, five nodes; bitmap, reference counts, index.
  expect(spaceMap.nrFree).toBe(100 - 1 - 5 - 3);
});

test('a device without blocks has no room', () => {
  const bulk = new BulkTransaction(new MemoryDevice({ nrBlocks: 0 }), THIN_SUPERBLOCK_VALIDATOR, 32);
  expect(() => bulk.begin('', fill)).toThrow('the device has no block');
});
