import { expect, test } from 'vitest';
import { RecordingDevice } from '../../../../test/structures/recording-device.ts';
import { BlockManager } from '../block-manager/index.ts';
import { BITMAP_VALIDATOR, NODE_VALIDATOR } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { PrefetchSet } from './prefetch-set.ts';

function fixture(nrBlocks = 1000) {
  const memory = new MemoryDevice({ nrBlocks });
  const writer = new BlockManager(memory, { cacheBlocks: 1024 });
  for (let b = 0; b < nrBlocks; b++) writer.unlock(writer.writeLockZero(b, BITMAP_VALIDATOR));
  writer.flush();
  const device = new RecordingDevice(memory);
  return { device, blockManager: new BlockManager(device, { cacheBlocks: 1024 }) };
}

test('what was asked for is read once, neighbours together, and then forgotten', () => {
  const { device, blockManager } = fixture();
  const set = new PrefetchSet();
  for (const b of [7, 8, 9, 7, 100]) set.add(b, BITMAP_VALIDATOR);
  set.issue(blockManager);
  expect(device.take()).toEqual(['read 7+3', 'read 100+1']);
  expect([7, 8, 9, 100].every((b) => blockManager.isCached(b))).toBe(true);
  blockManager.reset();
  set.issue(blockManager);
  expect(device.take()).toEqual([]);
});

test('it holds at most 128 requests, and drops what finds its place taken', () => {
  const { device, blockManager } = fixture();
  const set = new PrefetchSet();
  for (let b = 0; b < 1000; b++) set.add(b, BITMAP_VALIDATOR);
  set.issue(blockManager);
  const { blocksRead } = blockManager.statistics;
  expect(blocksRead).toBeLessThanOrEqual(128);
  expect(blocksRead).toBeGreaterThan(64);
  expect(device.take().length).toBeGreaterThan(0);
});

test('blocks of several kinds are read each with its own validator', () => {
  const { blockManager } = fixture();
  const set = new PrefetchSet();
  set.add(7, BITMAP_VALIDATOR);
  set.add(8, NODE_VALIDATOR);
  set.issue(blockManager);
  // Block 8 is no node: a prefetch says nothing of it.
  expect([blockManager.isCached(7), blockManager.isCached(8)]).toEqual([true, false]);
});
