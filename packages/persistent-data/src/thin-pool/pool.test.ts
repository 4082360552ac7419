import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import { checkThin } from '../thin/index.ts';
import { MemoryData } from './memory-data.ts';
import type { ThinPoolFormatOptions } from './options.ts';
import { ThinPool } from './pool.ts';
import { PoolChanges } from './pool-changes.ts';
import { PoolEngine } from './pool-engine.ts';
import { formatPoolStatus, metadataLowWater } from './pool-status.ts';
import type { ThinVolume } from './volume.ts';

const BLOCK = 65_536;

function devices() {
  return { metadata: new MemoryDevice({ nrBlocks: 256 }), data: new MemoryData({ sizeBytes: 64 * BLOCK }) };
}

function makePool(options: Partial<ThinPoolFormatOptions> = {}) {
  const both = devices();
  return { ...both, pool: ThinPool.create({ ...both, commitPeriodMs: 0, ...options }) };
}

function byteAt(volume: ThinVolume, offset: number): number {
  const into = new Uint8Array(1);
  void volume.read(offset, into);
  return into[0]!;
}

test('what was written is there again', async () => {
  const { pool, metadata, data } = makePool();
  await pool.createThin(3);
  await pool.thin(3, { sizeBytes: BLOCK }).write(7, Uint8Array.of(5));
  await pool.close();
  expect([...checkThin(metadata)]).toEqual([]);
  const again = ThinPool.open({ metadata, data });
  expect(again.devices().map(({ id }) => id)).toEqual([3]);
  expect(byteAt(again.thin(3, { sizeBytes: BLOCK }), 7)).toBe(5);
  await again[Symbol.asyncDispose]();
  expect(() => again.devices()).toThrow(StateError);
});

test('a volume goes back to a snapshot; a snapshot is merged into its origin', async () => {
  const { pool, metadata } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 4 * BLOCK });
  await volume.write(0, Uint8Array.of(1));
  await pool.createSnapshot({ snapshot: 1, origin: 0 });
  await volume.write(0, Uint8Array.of(2));
  await volume.write(BLOCK, Uint8Array.of(2));
  await pool.rollbackThin({ thin: 0, snapshot: 1 });
  expect([byteAt(volume, 0), byteAt(volume, BLOCK)]).toEqual([1, 0]);
  await volume.write(0, Uint8Array.of(3));
  const snapshot = pool.thin(1, { sizeBytes: 4 * BLOCK });
  await snapshot.write(2 * BLOCK, Uint8Array.of(4));
  await expect(pool.mergeSnapshot({ snapshot: 1, origin: 0 })).rejects.toThrow('it is open');
  snapshot.close();
  await pool.mergeSnapshot({ snapshot: 1, origin: 0 });
  expect([byteAt(volume, 0), byteAt(volume, 2 * BLOCK)]).toEqual([1, 4]);
  expect(pool.devices().map(({ id }) => id)).toEqual([0]);
  expect([...checkThin(metadata)]).toEqual([]);
  await expect(pool.rollbackThin({ thin: 0, snapshot: 0 })).rejects.toThrow(StateError);
  await expect(pool.rollbackThin({ thin: 0, snapshot: 9 })).rejects.toThrow(StateError);
  await pool.close();
});

test('changes made together are all there or none, and take nothing else with them', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 4 * BLOCK });
  await volume.write(0, Uint8Array.of(1));
  const failing = pool.change((changes) => {
    changes.createThin(1);
    changes.createSnapshot({ snapshot: 2, origin: 0 });
    changes.setTransactionId({ expected: 7, next: 8 });
  });
  await expect(failing).rejects.toThrow(StateError);
  expect(pool.devices().map(({ id }) => id)).toEqual([0]);
  expect(byteAt(volume, 0)).toBe(1);
  await volume.write(1, Uint8Array.of(2));
  await pool.change((changes) => {
    expect(changes).toBeInstanceOf(PoolChanges);
    changes.createThin(1);
    changes.setTransactionId({ expected: 0, next: 1 });
  });
  expect(pool.transactionId).toBe(1);
  expect([byteAt(volume, 0), byteAt(volume, 1)]).toEqual([1, 2]);
  expect(pool.info.mode).toBe('write');
  await pool.close();
});

test('messages do what the kernel does for them', async () => {
  const { pool } = makePool();
  for (const text of [
    'create_thin 0',
    'create_snap 1 0',
    'set_transaction_id 0 5',
    'reserve_metadata_snap',
    'delete 1',
  ]) {
    await pool.message(text);
  }
  expect(pool.devices().map(({ id }) => id)).toEqual([0]);
  expect(await pool.status()).toMatch(/^5 \d+\/256 0\/64 \d+ rw discard_passdown queue_if_no_space - 64$/);
  await expect(pool.message('reserve_metadata_snap')).rejects.toThrow(StateError);
  await pool.message('release_metadata_snap');
  expect(await pool.status({ noflush: true })).toMatch(/ - rw /);
  await expect(pool.message('set_transaction_id 1 2')).rejects.toThrow(StateError);
  await expect(pool.message('create_snap 1 9')).rejects.toThrow(StateError);
  await pool.close();
});

test('devices grow, and are not used when they shrank', async () => {
  const { pool, metadata, data } = makePool();
  await pool.resizeData(80 * BLOCK);
  await pool.resizeMetadata(300);
  expect([pool.info.nrDataBlocks, pool.info.nrMetadataBlocks]).toEqual([80, 300]);
  await pool.close();
  data.resize(100 * BLOCK);
  metadata.resize(400);
  const again = ThinPool.open({ metadata, data });
  expect([again.info.nrDataBlocks, again.info.nrMetadataBlocks]).toEqual([100, 400]);
  await again.close();
  const shorter = new MemoryData({ sizeBytes: 99 * BLOCK });
  expect(() => ThinPool.open({ metadata, data: shorter })).toThrow('would be shrunk');
});

test('a pool that is opened read-only, or needs a check, changes nothing', async () => {
  const { pool, metadata, data } = makePool();
  await pool.createThin(0);
  await pool.thin(0, { sizeBytes: BLOCK }).write(0, Uint8Array.of(1));
  pool.metadata.setNeedsCheck(true);
  await pool.close();
  const before = metadata.fork();
  for (const readOnly of [true, false]) {
    const reader = ThinPool.open({ metadata, data, readOnly });
    const volume = reader.thin(0, { sizeBytes: BLOCK });
    expect(byteAt(volume, 0)).toBe(1);
    expect(() => volume.write(0, Uint8Array.of(2))).toThrow('read_only');
    await expect(reader.createThin(1)).rejects.toThrow('read_only');
    expect(await reader.status()).toMatch(/ ro discard_passdown queue_if_no_space needs_check 64$/);
    await volume.flush();
    await reader.close();
  }
  expect(Buffer.compare(metadata.toBytes(), before.toBytes())).toBe(0);
});

test('status words', () => {
  const { pool } = makePool({ discards: 'ignore', errorIfNoSpace: true });
  expect(formatPoolStatus(pool.info)).toMatch(/ rw ignore_discard error_if_no_space - 64$/);
  expect(formatPoolStatus({ ...pool.info, mode: 'fail' })).toBe('Fail');
  expect([metadataLowWater(100), metadataLowWater(100_000)]).toEqual([25, 1024]);
});

test('discards are not passed down to a device that has no holes', () => {
  const both = devices();
  const data = Object.create(both.data, { canPunchHoles: { value: false } }) as MemoryData;
  const engine = new PoolEngine({ metadata: both.metadata, data }, () => ThinPool.create(both).metadata);
  expect(engine.discards).toBe('no_passdown');
});
