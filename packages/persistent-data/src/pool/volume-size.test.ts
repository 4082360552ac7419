import { expect, test } from 'vitest';
import { ReadOnlyError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { MemoryData } from '../thin-pool/index.ts';
import { Pool } from './pool.ts';

const MIB = 2 ** 20;

async function newPool(): Promise<Pool> {
  const metadata = new MemoryDevice({ nrBlocks: 256 });
  const registry = new MemoryDevice({ nrBlocks: 0 });
  const pool = Pool.create({ metadata, registry, data: new MemoryData({ sizeBytes: 64 * MIB }) });
  await pool.createVolume('a', { sizeBytes: MIB });
  return pool;
}

test('a volume that is open grows, and does not shrink', async () => {
  const pool = await newPool();
  const handle = pool.volume('a');
  await handle.write(MIB - 512, new Uint8Array(512).fill(1));
  expect(() => handle.write(MIB, new Uint8Array(512))).toThrow(RangeError);
  await pool.resizeVolume('a', 2 * MIB);
  await handle.write(2 * MIB - 512, new Uint8Array(512).fill(2));
  expect([handle.sizeBytes, pool.record('a').sizeBytes]).toEqual([2 * MIB, 2 * MIB]);
  await expect(pool.resizeVolume('a', MIB)).rejects.toThrow('Cannot shrink volume "a": it is in use by 1');
  handle.close();
  await pool.resizeVolume('a', MIB - 512);
  await pool.resizeVolume('a', 2 * MIB);
  const again = pool.volume('a');
  const bytes = new Uint8Array(2 * MIB);
  await again.read(0, bytes);
  expect(bytes.every((byte) => byte === 0)).toBe(true);
  await pool.close();
});

test('sizes that can not be, and volumes that can not be written, are refused', async () => {
  const pool = await newPool();
  const handle = pool.volume('a');
  for (const size of [2 * MIB + 1, 2 ** 53, Number.NaN, -512]) {
    await expect(pool.resizeVolume('a', size), `${size}`).rejects.toThrow(RangeError);
  }
  expect(handle.sizeBytes).toBe(MIB);
  await pool.createSnapshot('a', 's');
  await expect(pool.resizeVolume('s', 2 * MIB)).rejects.toThrow(ReadOnlyError);
  await expect(pool.resizeVolume('none', MIB)).rejects.toThrow(StateError);
  await pool.close();
});
