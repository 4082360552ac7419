import { expect, test } from 'vitest';
import { BlockManager } from '../block-manager/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { createMetadata } from './open-metadata.ts';

test('a metadata map looks for free blocks from its cursor on, which growth moves to the new space', () => {
  const device = new MemoryDevice({ nrBlocks: 200 });
  const { spaceMap } = createMetadata(new BlockManager(device), { nrBlocks: 100 });
  const { cursor } = spaceMap;
  spaceMap.extend(100);
  expect(spaceMap.cursor).toBeGreaterThanOrEqual(100);
  expect(spaceMap.newBlock()).toBeGreaterThanOrEqual(100);
  spaceMap.cursor = cursor;
  expect(spaceMap.newBlock()).toBe(cursor);
  spaceMap.cursor = 1000;
  expect(spaceMap.cursor).toBe(200);
  expect(spaceMap.newBlock()).toBeLessThan(100);
});
