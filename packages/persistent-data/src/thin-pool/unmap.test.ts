import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import { MemoryData } from './memory-data.ts';
import type { DiscardMode } from './options.ts';
import { ThinPool } from './pool.ts';

const BLOCK = 65_536;
const NR_BLOCKS = 700;

/** A pool with a volume of so many blocks, of which every third one is not mapped, and a small volume. */
async function fullPool(discards: DiscardMode = 'passdown') {
  const metadata = new MemoryDevice({ nrBlocks: 512 });
  const data = new MemoryData({ sizeBytes: (NR_BLOCKS + 10) * BLOCK });
  const pool = ThinPool.create({ metadata, data, commitPeriodMs: 0, discards });
  await pool.createThin(0);
  await pool.createThin(1);
  const large = pool.thin(0, { sizeBytes: 2 ** 40 });
  const small = pool.thin(1, { sizeBytes: 4 * BLOCK });
  let nrMapped = 0;
  for (let block = 0; block < NR_BLOCKS; block++) {
    if (block % 3 === 2) continue;
    await large.write(block * BLOCK, Uint8Array.of(1));
    nrMapped++;
  }
  await pool.flush();
  return { pool, large, small, nrMapped };
}

const turn = () => new Promise((done) => setImmediate(done));

test.each(['passdown', 'no_passdown'] as const)('a long discard lets others through: %s', async (discards) => {
  const { pool, large, small, nrMapped } = await fullPool(discards);
  const order: string[] = [];
  const note = (what: string) => () => order.push(what);
  const discard = large.discard(BLOCK, 2 ** 40 - BLOCK)?.then(note('discard'));
  // Runs are of two blocks, but for block 1, and none is cut.
  expect(large.mappedBlocks).toBe(nrMapped - 129);
  // Another volume, and another block of this one, are not in its way; what overlaps waits for its end.
  expect(small.write(0, Uint8Array.of(5))).toBeUndefined();
  expect(large.write(0, Uint8Array.of(6))).toBeUndefined();
  const write = large.write(3 * BLOCK, Uint8Array.of(7))?.then(note('write'));
  const found = new Uint8Array(1);
  const read = large.read(690 * BLOCK, found)?.then(note('read'));
  await turn();
  expect(large.mappedBlocks).toBe(nrMapped - 129 - 128);
  await Promise.all([discard, write, read]);
  expect(order).toEqual(['discard', 'write', 'read']);
  expect(found[0]).toBe(0);
  await large.flush();
  expect(large.mappedBlocks).toBe(2);
  expect(pool.info.usedDataBlocks).toBe(3);
  await large.read(0, found);
  expect(found[0]).toBe(6);
  await pool.close();
});

test('two long ones take turns by their order; zeros are written in slices too', async () => {
  const { pool, large, nrMapped } = await fullPool();
  const order: string[] = [];
  const zeros = large.writeZeroes(100, 450 * BLOCK)?.then(() => order.push('zeros'));
  const discard = large.discard(500 * BLOCK, 200 * BLOCK)?.then(() => order.push('discard'));
  expect(large.mappedBlocks).toBe(nrMapped - 129 - 128);
  await turn();
  expect(large.mappedBlocks).toBe(nrMapped - 129 - 2 * 128);
  await Promise.all([zeros, discard]);
  expect(order).toEqual(['zeros', 'discard']);
  const found = new Uint8Array(450 * BLOCK + 101).fill(9);
  await large.read(0, found);
  expect([found[0], found.subarray(100).some((byte) => byte !== 0)]).toEqual([1, false]);
  // Blocks 0 and 450 in part, and the 49 between the two ranges, of which 16 were not mapped.
  expect(large.mappedBlocks).toBe(35);
  await pool.close();
});

test('a volume that is closed in the middle says so, and what was done is sound', async () => {
  const { pool, large, nrMapped } = await fullPool();
  const discard = large.discard(0, NR_BLOCKS * BLOCK);
  large.close();
  await expect(discard).rejects.toThrow(StateError);
  await turn();
  const again = pool.thin(0, { sizeBytes: 2 ** 40 });
  expect(again.mappedBlocks).toBe(nrMapped - 128);
  await again.discard(0, 2 ** 40);
  expect(again.mappedBlocks).toBe(0);
  await pool.close();
});
