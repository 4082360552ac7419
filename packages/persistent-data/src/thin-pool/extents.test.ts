import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import { volumeExtents } from './extents.ts';
import { MemoryData } from './memory-data.ts';
import { ThinPool } from './pool.ts';
import { canUnmap } from './unmap.ts';

const BLOCK = 65_536;

function makePool() {
  return ThinPool.create({
    metadata: new MemoryDevice({ nrBlocks: 256 }),
    data: new MemoryData({ sizeBytes: 64 * BLOCK }),
    commitPeriodMs: 0,
  });
}

test('extents say what is mapped and what is shared', async () => {
  expect([typeof volumeExtents, typeof canUnmap]).toEqual(['function', 'function']);
  const pool = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 10 * BLOCK + 512 });
  expect(volume.extents(0, 10 * BLOCK + 512)).toEqual([{ offset: 0, length: 10 * BLOCK + 512, kind: 'unmapped' }]);
  await volume.write(2 * BLOCK, new Uint8Array(2 * BLOCK));
  await volume.write(10 * BLOCK, new Uint8Array(10));
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  await volume.write(3 * BLOCK, new Uint8Array(1));
  const wanted = [
    { offset: 100, length: 2 * BLOCK - 100, kind: 'unmapped' },
    { offset: 2 * BLOCK, length: BLOCK, kind: 'shared' },
    { offset: 3 * BLOCK, length: BLOCK, kind: 'exclusive' },
    { offset: 4 * BLOCK, length: 6 * BLOCK, kind: 'unmapped' },
    { offset: 10 * BLOCK, length: 512, kind: 'shared' },
  ];
  expect(volume.extents(100, 10 * BLOCK + 412)).toEqual(wanted);
  expect(volume.extents(100, 10 * BLOCK + 412, { limit: 2 })).toEqual(wanted.slice(0, 2));
  expect(volume.extents(3 * BLOCK + 5, 7)).toEqual([{ offset: 3 * BLOCK + 5, length: 7, kind: 'exclusive' }]);
  expect(() => volume.extents(0, 11 * BLOCK)).toThrow(RangeError);
  await pool.close();
});

test('differences say what two volumes do not share', async () => {
  const pool = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 10 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK));
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  const snapshot = pool.thin(1, { sizeBytes: 10 * BLOCK });
  expect(volume.difference(snapshot)).toEqual([]);
  await volume.write(BLOCK, new Uint8Array(2 * BLOCK));
  await volume.discard(3 * BLOCK, BLOCK);
  await volume.write(7 * BLOCK, new Uint8Array(1));
  expect(volume.difference(snapshot)).toEqual([
    { offset: BLOCK, length: 2 * BLOCK, kind: 'changed' },
    { offset: 3 * BLOCK, length: BLOCK, kind: 'removed' },
    { offset: 7 * BLOCK, length: BLOCK, kind: 'added' },
  ]);
  const range = { offset: BLOCK + 5, length: 6 * BLOCK };
  const wanted = [
    { offset: BLOCK + 5, length: 2 * BLOCK - 5, kind: 'changed' },
    { offset: 3 * BLOCK, length: BLOCK, kind: 'removed' },
    { offset: 7 * BLOCK, length: 5, kind: 'added' },
  ];
  expect(volume.difference(snapshot, range)).toEqual(wanted);
  snapshot.close();
  // One that is closed, by its id.
  expect(volume.difference(1, range)).toEqual(wanted);
  expect(volume.difference(1, { ...range, limit: 2 })).toEqual(wanted.slice(0, 2));
  expect(volume.difference(1, { offset: 4 * BLOCK, length: 3 * BLOCK })).toEqual([]);
  expect(() => volume.difference(1, { offset: 4 * BLOCK, length: 7 * BLOCK })).toThrow(RangeError);
  expect(() => volume.difference(2)).toThrow(StateError);
  const other = makePool();
  await other.createThin(5);
  const foreign = other.thin(5, { sizeBytes: BLOCK });
  expect(() => volume.difference(foreign)).toThrow(StateError);
  await Promise.all([pool.close(), other.close()]);
});
