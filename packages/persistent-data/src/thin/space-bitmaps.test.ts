import { expect, test } from 'vitest';
import { makePool, SNAPSHOT_POOL } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { CorruptionError } from '../base/index.ts';
import { MAX_METADATA_BLOCKS, THIN_SUPERBLOCK } from '../format/index.ts';
import { ThinImage } from './image.ts';
import { freeDataRuns } from './space-bitmaps.ts';

function sickPool(): SickPool {
  return new SickPool(makePool(SNAPSHOT_POOL));
}

const runsOf = (pool: SickPool) => freeDataRuns(new ThinImage(pool.device));

test('free runs are those between the blocks in use', () => {
  expect(runsOf(sickPool())).toEqual([{ begin: 607, end: 20_000 }]);
});

test('a data space map without all of its bitmaps is corruption', () => {
  const pool = sickPool();
  pool.setSuperblock((view) => view.setBigUint64(THIN_SUPERBLOCK.offset('dataSpaceMapRoot'), 10_000_000n, true));
  expect(() => runsOf(pool)).toThrow(CorruptionError);
  expect(() => runsOf(pool)).toThrow('bitmap 2 has no entry');
});

test('so is one with a bitmap outside of the device', () => {
  const pool = sickPool();
  const { bitmapRoot } = pool.spaceMap('data');
  pool.edit(bitmapRoot, (view) => {
    const maxEntries = view.getUint32(20, true);
    view.setBigUint64(32 + 8 * maxEntries, BigInt(MAX_METADATA_BLOCKS), true);
  });
  expect(() => runsOf(pool)).toThrow(/bitmap block \d+: it is outside the device/);
});

test('so is one whose bitmaps are numbered with a gap', () => {
  const pool = sickPool();
  pool.edit(pool.spaceMap('data').bitmapRoot, (view) => view.setBigUint64(32 + 8, 5n, true));
  expect(() => runsOf(pool)).toThrow('bitmap 1 has no entry');
});
