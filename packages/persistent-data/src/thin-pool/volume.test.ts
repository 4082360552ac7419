import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { ReadOnlyError, StateError } from '../base/index.ts';
import { readOrigin } from './block-writer.ts';
import { MemoryData } from './memory-data.ts';
import type { ThinPoolFormatOptions } from './options.ts';
import { ThinPool } from './pool.ts';
import { checkSize } from './volume.ts';
import { VolumeState } from './volume-state.ts';

const BLOCK = 65_536;

function makePool(options: Partial<ThinPoolFormatOptions> = {}) {
  const metadata = new MemoryDevice({ nrBlocks: 256 });
  const data = new MemoryData({ sizeBytes: 64 * BLOCK });
  return { metadata, data, pool: ThinPool.create({ metadata, data, commitPeriodMs: 0, ...options }) };
}

function readAt(
  volume: { read(offset: number, into: Uint8Array): unknown },
  offset: number,
  length: number,
): Uint8Array {
  const into = new Uint8Array(length).fill(0xee);
  expect(volume.read(offset, into)).toBeUndefined();
  return into;
}

test('a volume is zeros, and then what was written', async () => {
  const { pool, data } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 10 * BLOCK });
  expect(readAt(volume, 5, 3 * BLOCK).every((byte) => byte === 0)).toBe(true);
  expect(data.usedBytes).toBe(0);
  expect(volume.write(BLOCK - 2, Uint8Array.of(1, 2, 3, 4))).toBeUndefined();
  expect([...readAt(volume, BLOCK - 3, 6)]).toEqual([0, 1, 2, 3, 4, 0]);
  expect(volume.mappedBlocks).toBe(2);
  expect(volume.status()).toBe('256 255');
  await pool.close();
});

test('a write to a block that a snapshot shares copies it once; a write to all of it copies nothing', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const origin = pool.thin(0, { sizeBytes: 10 * BLOCK });
  await origin.write(0, new Uint8Array(2 * BLOCK).fill(1));
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  const snapshot = pool.thin(1, { sizeBytes: 10 * BLOCK });
  await origin.write(100, Uint8Array.of(2));
  await origin.write(BLOCK, new Uint8Array(BLOCK).fill(3));
  expect([...readAt(origin, 99, 3)]).toEqual([1, 2, 1]);
  expect([...readAt(snapshot, 99, 3)]).toEqual([1, 1, 1]);
  expect(readAt(origin, BLOCK, 1)[0]).toBe(3);
  expect(readAt(snapshot, BLOCK, 1)[0]).toBe(1);
  expect(pool.info.usedDataBlocks).toBe(4);
  await origin.write(200, Uint8Array.of(9));
  expect(pool.info.usedDataBlocks).toBe(4);
  await pool.close();
});

test('the rest of a new block is cleared, unless that is not wanted', async () => {
  for (const skipBlockZeroing of [false, true]) {
    const { pool, data } = makePool({ skipBlockZeroing });
    // What another one left there.
    data.write(0, new Uint8Array(64 * BLOCK).fill(0x55));
    const metadata = new MemoryDevice({ nrBlocks: 256 });
    const again = ThinPool.create({ metadata, data, skipBlockZeroing, commitPeriodMs: 0 });
    await again.createThin(0);
    const volume = again.thin(0, { sizeBytes: 10 * BLOCK });
    await volume.write(1000, Uint8Array.of(7));
    const rest = skipBlockZeroing ? 0x55 : 0;
    expect([...readAt(volume, 999, 3)]).toEqual([rest, 7, rest]);
    await Promise.all([pool.close(), again.close()]);
  }
});

test('large blocks are cleared and copied in pieces', async () => {
  const metadata = new MemoryDevice({ nrBlocks: 256 });
  const data = new MemoryData({ sizeBytes: 8 * 2 ** 21 });
  data.write(0, new Uint8Array(data.sizeBytes).fill(0x55));
  const pool = ThinPool.create({ metadata, data, dataBlockSizeSectors: 4096, commitPeriodMs: 0 });
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 2 ** 22 });
  await volume.write(2 ** 20 - 1, Uint8Array.of(1, 2));
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  await volume.write(2 ** 20 + 1, Uint8Array.of(3));
  const found = readAt(volume, 0, 2 ** 21);
  expect([...found.subarray(2 ** 20 - 2, 2 ** 20 + 3)]).toEqual([0, 1, 2, 3, 0]);
  expect(found.filter((byte) => byte !== 0)).toHaveLength(3);
  await pool.close();
});

test('an external origin shows through, whatever its length', async () => {
  for (const length of [100, BLOCK, BLOCK + 10, 5 * BLOCK]) {
    const origin = new MemoryData({ sizeBytes: length });
    origin.write(0, new Uint8Array(length).fill(8));
    const { pool } = makePool();
    await pool.createThin(0);
    const volume = pool.thin(0, { sizeBytes: 3 * BLOCK, origin });
    expect(volume.hasOrigin).toBe(true);
    const wanted = new Uint8Array(3 * BLOCK).fill(8, 0, length);
    expect(Buffer.compare(readAt(volume, 0, 3 * BLOCK), wanted)).toBe(0);
    for (const at of [50, BLOCK + 5, 2 * BLOCK + 7]) {
      await volume.write(at, Uint8Array.of(1));
      wanted[at] = 1;
    }
    expect(Buffer.compare(readAt(volume, 0, 3 * BLOCK), wanted)).toBe(0);
    await volume.discard(BLOCK, BLOCK);
    wanted.fill(8, BLOCK, 2 * BLOCK).fill(0, Math.max(BLOCK, length), 2 * BLOCK);
    expect(Buffer.compare(readAt(volume, 0, 3 * BLOCK), wanted)).toBe(0);
    await volume.writeZeroes(0, 2 * BLOCK);
    wanted.fill(0, 0, 2 * BLOCK);
    expect(Buffer.compare(readAt(volume, 0, 3 * BLOCK), wanted)).toBe(0);
    await pool.close();
  }
});

test('what an origin lacks is zeros', () => {
  const into = new Uint8Array(4).fill(9);
  readOrigin(undefined, 0, into);
  expect([...into]).toEqual([0, 0, 0, 0]);
});

test('zeros are written, or the block is unmapped', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 4 * BLOCK });
  await volume.write(0, new Uint8Array(3 * BLOCK).fill(1));
  await volume.writeZeroes(10, 20);
  expect([...readAt(volume, 9, 2)]).toEqual([1, 0]);
  expect([...readAt(volume, 29, 2)]).toEqual([0, 1]);
  await volume.writeZeroes(BLOCK, BLOCK, { mayUnmap: false });
  expect(volume.mappedBlocks).toBe(3);
  await volume.writeZeroes(BLOCK, BLOCK);
  expect(volume.mappedBlocks).toBe(2);
  await volume.writeZeroes(3 * BLOCK, 100);
  expect(volume.mappedBlocks).toBe(2);
  await volume.writeZeroes(3 * BLOCK, 100, { mayUnmap: false });
  await volume.writeZeroes(BLOCK, BLOCK, { mayUnmap: false });
  expect(volume.mappedBlocks).toBe(4);
  expect(readAt(volume, BLOCK, BLOCK).every((byte) => byte === 0)).toBe(true);
  await pool.close();
});

test('a volume is read-only, closed or too short', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  expect(() => pool.thin(1, { sizeBytes: BLOCK })).toThrow(StateError);
  const reader = pool.thin(0, { sizeBytes: BLOCK, readOnly: true });
  expect(reader.readOnly).toBe(true);
  expect(() => reader.write(0, Uint8Array.of(1))).toThrow(ReadOnlyError);
  expect(() => reader.discard(0, BLOCK)).toThrow(ReadOnlyError);
  expect(() => pool.thin(0, { sizeBytes: BLOCK })).toThrow(StateError);
  await expect(pool.deleteThin(0)).rejects.toThrow(StateError);
  reader.close();
  reader.close();
  expect(reader.isClosed).toBe(true);
  expect(() => reader.read(0, new Uint8Array(1))).toThrow(StateError);
  const volume = pool.thin(0, { sizeBytes: BLOCK });
  for (const offset of [-1, BLOCK, 0.5, Number.NaN, 2 ** 53]) {
    expect(() => volume.read(offset, new Uint8Array(1))).toThrow(RangeError);
    expect(() => volume.write(offset, new Uint8Array(1))).toThrow(RangeError);
  }
  expect(() => volume.writeZeroes(1, BLOCK)).toThrow(RangeError);
  expect(volume.write(BLOCK, new Uint8Array(0))).toBeUndefined();
  await pool.close();
  await pool.close();
});

test('what a smaller size cuts off does not come back', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 4 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  await volume.resize(BLOCK + 512);
  expect(volume.sizeBytes).toBe(BLOCK + 512);
  await volume.resize(4 * BLOCK);
  const wanted = new Uint8Array(4 * BLOCK).fill(1, 0, BLOCK + 512);
  expect(Buffer.compare(readAt(volume, 0, 4 * BLOCK), wanted)).toBe(0);
  expect(() => checkSize(100)).toThrow(RangeError);
  await pool.close();
});

test('a volume keeps a mapping at hand once it was looked up', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const thin = pool.metadata.openThin(0);
  const state = new VolumeState(thin, { blockBytes: BLOCK, sizeBytes: BLOCK, nrSlots: 4 });
  const slot = state.locate(2);
  expect(state.cache.find(2)).toBe(slot);
  expect(state.cache.offsets[slot]).toBe(-1);
  thin.close();
  await pool.close();
});
