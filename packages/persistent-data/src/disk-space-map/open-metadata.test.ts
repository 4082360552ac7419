import { expect, test } from 'vitest';
import { CorruptionError, NoSpaceError } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { BITMAP_VALIDATOR, MAX_METADATA_BLOCKS } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { createMetadata, openMetadata } from './open-metadata.ts';

const managerOf = (nrBlocks: number) => new BlockManager(new MemoryDevice({ nrBlocks }), { cacheBlocks: 512 });

test('a fresh device has its blocks in the order of the format: index, counts, bitmaps', () => {
  const { spaceMap, tm } = createMetadata(managerOf(40_000));
  expect(spaceMap.root).toEqual({ nrBlocks: 40_000, nrAllocated: 6, bitmapRoot: 1, refCountRoot: 2 });
  expect(Array.from({ length: 8 }, (_, b) => spaceMap.getCount(b))).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
  expect([spaceMap.newBlock(), tm.spaceMap === spaceMap]).toEqual([6, true]);
});

test('it can manage less than the device, and keep more than the superblock', () => {
  const { spaceMap } = createMetadata(managerOf(100), { nrBlocks: 50, nrReserved: 3 });
  expect(spaceMap.root).toEqual({ nrBlocks: 50, nrAllocated: 6, bitmapRoot: 3, refCountRoot: 4 });
  expect([0, 1, 2].map((b) => spaceMap.getCount(b))).toEqual([1, 1, 1]);
});

test('a device above 15.88 GiB is used up to there', () => {
  const { spaceMap } = createMetadata(managerOf(MAX_METADATA_BLOCKS + 1000));
  expect([spaceMap.nrBlocks, spaceMap.root.nrAllocated]).toEqual([MAX_METADATA_BLOCKS, 3 + 255]);
});

test.each([0, 1, 2, 3])('a device of %i blocks is too small, and that is what it says', (nrBlocks) => {
  const text = `Cannot allocate a metadata block: the device of ${nrBlocks} blocks is too small`;
  expect(() => createMetadata(managerOf(nrBlocks))).toThrow(new NoSpaceError(text, 'metadata'));
});

test('a device of four blocks holds its own map and nothing else', () => {
  const { spaceMap } = createMetadata(managerOf(4));
  expect(spaceMap.root).toEqual({ nrBlocks: 4, nrAllocated: 4, bitmapRoot: 1, refCountRoot: 2 });
  expect(spaceMap.nrFree).toBe(0);
  expect(() => spaceMap.newBlock()).toThrow(NoSpaceError);
});

test('what was committed is opened again', () => {
  const blockManager = managerOf(100);
  const { spaceMap, tm } = createMetadata(blockManager);
  spaceMap.incRange(20, 30);
  spaceMap.setCount(25, 9);
  tm.preCommit();
  const { root } = spaceMap;
  tm.commit(blockManager.writeLockZero(0, BITMAP_VALIDATOR));
  blockManager.reset();
  const again = openMetadata(blockManager, root).spaceMap;
  expect([19, 20, 25, 29, 30].map((b) => again.getCount(b))).toEqual([0, 1, 9, 1, 0]);
  expect([again.nrFree, again.root]).toEqual([spaceMap.nrFree, root]);
});

test('a root that cannot be of this device is refused', () => {
  const blockManager = managerOf(100);
  const { spaceMap, tm } = createMetadata(blockManager);
  tm.preCommit();
  tm.commit(blockManager.writeLockZero(0, BITMAP_VALIDATOR));
  const { root } = spaceMap;
  for (const change of [{ nrBlocks: 0 }, { nrBlocks: 101 }, { nrBlocks: 2 ** 60 }, { nrAllocated: 101 }]) {
    const wrong = { ...root, ...change };
    let error: unknown;
    try {
      openMetadata(blockManager, wrong);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(CorruptionError);
    expect(String(error)).toContain(
      `Cannot open metadata space map: ${wrong.nrAllocated} of ${wrong.nrBlocks} blocks are allocated, the device has 100`,
    );
  }
  expect(() => openMetadata(blockManager, { ...root, bitmapRoot: 2 })).toThrow(CorruptionError);
  expect(() => openMetadata(blockManager, { ...root, bitmapRoot: 99 })).toThrow(CorruptionError);
  // The bitmap says that the superblock is free.
  tm.dec(0);
  tm.preCommit();
  expect(() => openMetadata(blockManager, spaceMap.root)).toThrow('the superblock is not allocated in it');
});
