import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { NoSpaceError } from '../base/index.ts';
import { checkThin } from '../thin/index.ts';
import { MemoryData } from './memory-data.ts';
import type { ThinPoolFormatOptions } from './options.ts';
import { ThinPool } from './pool.ts';
import { ModeState, type PoolEvent } from './pool-mode.ts';

const BLOCK = 65_536;

function makePool(options: Partial<ThinPoolFormatOptions> = {}, nrMetadataBlocks = 256) {
  const events: PoolEvent[] = [];
  const metadata = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
  const data = new MemoryData({ sizeBytes: 4 * BLOCK });
  const onEvent = (event: PoolEvent) => events.push(event);
  const names = () => events.map((event) => (event.event === 'mode' ? event.mode : event.event));
  const pool = ThinPool.create({ metadata, data, commitPeriodMs: 0, noSpaceTimeoutMs: 0, onEvent, ...options });
  return { metadata, data, names, pool };
}

test('writes that find no data space wait until there is some, in order', async () => {
  const { pool, names } = makePool();
  await pool.createThin(0);
  await pool.createThin(1);
  const [volume, other] = [pool.thin(0, { sizeBytes: 9 * BLOCK }), pool.thin(1, { sizeBytes: 9 * BLOCK })];
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  const first = volume.write(5 * BLOCK, new Uint8Array(BLOCK).fill(2));
  const second = volume.write(5 * BLOCK + 1, Uint8Array.of(3));
  const found = new Uint8Array(3);
  const third = volume.read(5 * BLOCK, found);
  for (const each of [first, second, third]) expect(each).toBeInstanceOf(Promise);
  expect(names()).toEqual(['data_low_water', 'out_of_data_space']);
  // Others go on.
  expect(volume.write(7, Uint8Array.of(9))).toBeUndefined();
  expect(other.read(5 * BLOCK, new Uint8Array(10))).toBeUndefined();
  expect(pool.info.nrWaiting).toBe(3);
  await pool.resizeData(5 * BLOCK);
  await Promise.all([first, second, third]);
  expect([...found]).toEqual([2, 3, 2]);
  expect(names().slice(2)).toEqual(['write']);
  await pool.close();
});

test('a discard makes room, after a commit', async () => {
  const { pool, metadata } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 9 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  await volume.flush();
  const waiting = volume.write(5 * BLOCK, Uint8Array.of(2));
  expect(waiting).toBeInstanceOf(Promise);
  await volume.discard(0, BLOCK);
  await volume.flush();
  await waiting;
  // The next one finds what was freed since by committing itself.
  await volume.discard(BLOCK, BLOCK);
  expect(volume.write(6 * BLOCK, Uint8Array.of(2))).toBeUndefined();
  await pool.flush();
  expect([...checkThin(metadata)]).toEqual([]);
  await pool.close();
});

test('or they fail at once', async () => {
  const { pool, names } = makePool({ errorIfNoSpace: true });
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 9 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  expect(() => volume.write(5 * BLOCK, Uint8Array.of(2))).toThrow(NoSpaceError);
  expect(names().at(-1)).toBe('out_of_data_space');
  expect(await pool.status()).toMatch(/ out_of_data_space discard_passdown error_if_no_space /);
  await volume.write(0, Uint8Array.of(2));
  await pool.resizeData(5 * BLOCK);
  await volume.write(5 * BLOCK, Uint8Array.of(2));
  await pool.close();
});

test('or they fail when they have waited too long; then all others do', async () => {
  const { pool, names } = makePool({ noSpaceTimeoutMs: 1 });
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 9 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  const first = volume.write(5 * BLOCK, Uint8Array.of(2));
  const found = Uint8Array.of(9);
  const behind = volume.read(5 * BLOCK, found);
  await expect(first).rejects.toThrow(NoSpaceError);
  await behind;
  expect(found[0]).toBe(0);
  expect(names().at(-1)).toBe('no_space_timeout');
  expect(() => volume.write(5 * BLOCK, Uint8Array.of(2))).toThrow(NoSpaceError);
  await pool.close();
});

test('who waits when the pool or the volume is closed is told', async () => {
  const { pool } = makePool();
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 9 * BLOCK });
  await volume.write(0, new Uint8Array(4 * BLOCK).fill(1));
  const first = volume.write(5 * BLOCK, Uint8Array.of(2));
  volume.close();
  await expect(first).rejects.toThrow('closed');
  const again = pool.thin(0, { sizeBytes: 9 * BLOCK });
  const second = again.write(5 * BLOCK, Uint8Array.of(2));
  const closing = pool.close();
  await expect(second).rejects.toThrow('closed');
  await closing;
});

test('without metadata space nothing is provisioned, and everything else goes on', async () => {
  const { pool, names, metadata } = makePool({}, 128);
  await pool.resizeData(400 * BLOCK);
  await pool.createThin(0);
  const volume = pool.thin(0, { sizeBytes: 400 * BLOCK });
  let failure: unknown;
  try {
    // Each takes a leaf and what is above it.
    for (let id = 1; id < 300; id++) {
      await volume.write(id * BLOCK, Uint8Array.of(1));
      await pool.createSnapshot({ snapshot: id, origin: 0 });
    }
  } catch (error) {
    failure = error;
  }
  const mapped = volume.mappedBlocks;
  expect(failure).toBeInstanceOf(NoSpaceError);
  expect((failure as NoSpaceError).space).toBe('metadata');
  expect(names().filter((name) => name !== 'metadata_low_water')).toEqual(['out_of_metadata_space']);
  expect(names()[0]).toBe('metadata_low_water');
  await volume.discard(0, 300 * BLOCK);
  expect(volume.mappedBlocks).toBe(mapped);
  await volume.flush();
  await expect(pool.createThin(999)).rejects.toThrow(NoSpaceError);
  expect(await pool.status()).toMatch(/ ro discard_passdown /);
  expect([...checkThin(metadata)]).toEqual([]);
  await pool.resizeMetadata(256);
  expect(names().at(-1)).toBe('write');
  await volume.write(399 * BLOCK, Uint8Array.of(1));
  await pool.close();
  expect([...checkThin(metadata)]).toEqual([]);
});

test('a mode is left only where there is a way out', () => {
  const seen: string[] = [];
  const state = new ModeState((event) => seen.push(event.event === 'mode' ? event.mode : ''));
  state.enter('out_of_data_space', 'full');
  state.enter('out_of_data_space', 'full');
  state.enter('write', 'grown');
  state.enter('read_only', 'failed', new Error('disk'));
  state.enter('write', 'grown');
  expect(() => state.refuseUnlessWritable('write')).toThrow('failed');
  state.enter('fail', 'failed again', new Error('second'));
  state.enter('write', 'grown');
  expect(seen).toEqual(['out_of_data_space', 'write', 'read_only', 'fail']);
  expect(state.failure?.message).toBe('disk');
  expect(() => state.refuseUnlessReadable('read')).toThrow('failed again');
  expect(state.isAtLeast('read_only')).toBe(true);
});
