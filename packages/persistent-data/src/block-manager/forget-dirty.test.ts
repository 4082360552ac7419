import { expect, test } from 'vitest';
import { NoSpaceError } from '../base/index.ts';
import { NODE_VALIDATOR, WORDS_PER_BLOCK } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { BlockManager } from './block-manager.ts';

const NODE_WORDS = 8;

function writeNode(manager: BlockManager, b: number, mark: number): void {
  const base = manager.writeLockZero(b, NODE_VALIDATOR);
  const { words } = manager.slab;
  words[base + 1] = 2; // a leaf
  words[base + 5] = 252;
  words[base + 6] = 8;
  words[base + NODE_WORDS] = mark;
  manager.unlock(base);
}

const markOf = (manager: BlockManager, b: number) => manager.slab.words[manager.read(b, NODE_VALIDATOR) + NODE_WORDS];

test('`forgetDirty()` forgets what was changed, and keeps what is clean', () => {
  const manager = new BlockManager(new MemoryDevice({ nrBlocks: 64 }), { cacheBlocks: 32 });
  writeNode(manager, 1, 11);
  writeNode(manager, 2, 22);
  manager.flush();
  writeNode(manager, 2, 33);
  writeNode(manager, 3, 44);
  const { reads } = manager.statistics;
  manager.forgetDirty();
  expect(markOf(manager, 1)).toBe(11);
  expect(manager.statistics.reads).toBe(reads);
  expect(markOf(manager, 2)).toBe(22);
  expect(manager.isCached(3)).toBe(false);
  expect(manager.nrLocked).toBe(0);
});

/** A device on a full host: no block from `limit` on can be written. */
class FullDevice extends MemoryDevice {
  limit = Number.POSITIVE_INFINITY;

  override write(begin: number, buffers: readonly Uint8Array[]): void {
    if (begin + buffers.length > this.limit) throw new NoSpaceError('Cannot write: the disk is full', 'host');
    super.write(begin, buffers);
  }
}

test('a full host does not latch, where the owner survives it: what was dirty stays so', () => {
  const device = new FullDevice({ nrBlocks: 256 });
  const manager = new BlockManager(device, { cacheBlocks: 32, survivesFullHost: true });
  device.limit = 100;
  writeNode(manager, 120, 5);
  expect(() => manager.writeDirty()).toThrow(NoSpaceError);
  expect(manager.failure).toBeUndefined();
  device.limit = 1000;
  manager.flush();
  const bytes = new Uint8Array(WORDS_PER_BLOCK * 4);
  device.read(120, [bytes]);
  expect(bytes[NODE_WORDS * 4]).toBe(5);
});

test('a victim that could not be written stays in the cache, and can be dropped', () => {
  const device = new FullDevice({ nrBlocks: 256 });
  const manager = new BlockManager(device, { cacheBlocks: 32, survivesFullHost: true });
  device.limit = 100;
  for (let b = 100; b < 132; b++) writeNode(manager, b, b);
  for (let i = 0; i < 100; i++) expect(() => writeNode(manager, 200, 1)).toThrow(NoSpaceError);
  manager.forgetDirty();
  expect(manager.statistics.cached).toBe(0);
  device.limit = 1000;
  for (let b = 100; b < 200; b++) writeNode(manager, b, b);
  manager.flush();
  expect(markOf(manager, 100)).toBe(100);
});
