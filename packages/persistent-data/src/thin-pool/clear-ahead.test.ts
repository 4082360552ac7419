import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDevice } from 'persistent-data/io';
import { afterAll, expect, test } from 'vitest';
import { FileData } from './file-data.ts';
import { hasPunchProgram } from './hole-punch.ts';
import { MemoryData } from './memory-data.ts';
import { ThinPool } from './pool.ts';

const BLOCK = 65_536;
const folder = mkdtempSync(join(tmpdir(), 'pdata-clear-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A data device in memory that counts what is written and cleared. */
class CountedData extends MemoryData {
  writtenBytes = 0;
  readonly cleared: [begin: number, end: number][] = [];

  override write(offset: number, from: Uint8Array): void {
    this.writtenBytes += from.length;
    super.write(offset, from);
  }

  override clear(offset: number, length: number): number {
    this.cleared.push([offset / BLOCK, (offset + length) / BLOCK]);
    return super.clear(offset, length);
  }
}

/** A pool of 64 blocks, full of what somebody has left there, of which block 0 and 20 are one volume's. */
async function usedPool(): Promise<{ metadata: MemoryDevice; data: CountedData }> {
  const metadata = new MemoryDevice({ nrBlocks: 256 });
  const data = new CountedData({ sizeBytes: 64 * BLOCK });
  data.write(0, new Uint8Array(64 * BLOCK).fill(0x55));
  const pool = ThinPool.create({ metadata, data, commitPeriodMs: 0 });
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 64 * BLOCK });
  for (let block = 0; block <= 20; block++) await volume.write(block * BLOCK, new Uint8Array(BLOCK).fill(1));
  await volume.flush();
  await pool.close();
  const again = ThinPool.open({ metadata, data, discards: 'no_passdown', commitPeriodMs: 0 });
  const rest = again.thin(0, { sizeBytes: 64 * BLOCK });
  await rest.discard(BLOCK, 19 * BLOCK);
  await again.close();
  data.writtenBytes = 0;
  return { metadata, data };
}

test('the first short write to a new block of a reopened pool clears the free run behind it, and nothing in use', async () => {
  const { metadata, data } = await usedPool();
  const pool = ThinPool.open({ metadata, data, commitPeriodMs: 0 });
  await pool.createThin(1);
  const [first, second] = [pool.thin(0, { sizeBytes: 64 * BLOCK }), pool.thin(1, { sizeBytes: 64 * BLOCK })];
  for (let block = 0; block < 30; block++) await second.write(block * BLOCK + 4096, Uint8Array.of(7));
  expect(data.cleared).toEqual([
    [1, 20],
    [21, 64],
  ]);
  expect(data.writtenBytes).toBe(30);
  const found = new Uint8Array(BLOCK);
  for (let block = 0; block < 30; block++) {
    await second.read(block * BLOCK, found);
    expect([found[4095], found[4096], found[4097], found.at(-1)]).toEqual([0, 7, 0, 0]);
  }
  for (const block of [0, 20]) {
    await first.read(block * BLOCK, found);
    expect(found.every((byte) => byte === 1)).toBe(true);
  }
  await pool.close();
});

test('what this transaction gives up stays, as the last commit refers to it; and views are left alone', async () => {
  const { metadata, data } = await usedPool();
  const pool = ThinPool.open({ metadata, data, commitPeriodMs: 0 });
  const volume = pool.thin(0, { sizeBytes: 64 * BLOCK });
  await volume.discard(20 * BLOCK, BLOCK);
  await volume.write(40 * BLOCK, Uint8Array.of(7));
  expect(data.cleared).toEqual([[1, 20]]);
  expect(pool.metadata.freeDataRunEnd(2, 64)).toBe(20);
  const view = pool.metadata.view();
  await volume.flush();
  expect(pool.metadata.freeDataRunEnd(2, 64)).toBe(20);
  view.close();
  expect(pool.metadata.freeDataRunEnd(2, 64)).toBe(64);
  expect(pool.metadata.freeDataRunEnd(2, 5)).toBe(5);
  expect(pool.metadata.freeDataRunEnd(64, 64)).toBe(64);
  await pool.close();
});

test('without discards passed down, and on a device that cannot, the rest of the block is written', async () => {
  for (const how of ['no_passdown', 'cannot'] as const) {
    const { metadata, data } = await usedPool();
    let nrAsked = 0;
    if (how === 'cannot') data.clear = () => nrAsked++ * 0;
    const pool = ThinPool.open({ metadata, data, commitPeriodMs: 0, ...(how === 'cannot' ? {} : { discards: how }) });
    const volume = pool.thin(0, { sizeBytes: 64 * BLOCK });
    for (let block = 30; block < 34; block++) await volume.write(block * BLOCK, Uint8Array.of(7));
    expect(data.writtenBytes).toBe(4 * BLOCK);
    expect(data.cleared).toEqual([]);
    // Once for the run, not for each of its blocks.
    expect(nrAsked).toBe(how === 'cannot' ? 1 : 0);
    await pool.close();
  }
});

test.skipIf(!hasPunchProgram())('a file is cleared where it is sparse and the run is long', () => {
  const MIB = 2 ** 20;
  const data = FileData.open(join(folder, 'data'), { create: 'new', sizeBytes: 64 * MIB });
  data.write(20 * MIB, new Uint8Array(30 * MIB).fill(9));
  expect(data.clear(20 * MIB, 15 * MIB)).toBe(0);
  expect(data.clear(20 * MIB, 20 * MIB)).toBe(20 * MIB);
  const found = new Uint8Array(2);
  data.read(40 * MIB - 1, found);
  expect([...found]).toEqual([0, 9]);
  expect(statSync(data.path).blocks * 512).toBeLessThan(11 * MIB);
  data.write(0, new Uint8Array(64 * MIB).fill(9));
  data.flush();
  expect(data.clear(20 * MIB, 20 * MIB)).toBe(0);
  data.close();
});
