import { expect, test } from 'vitest';
import { ModelPool } from './thin-model.ts';

test('a copy of a model goes its own way', () => {
  const pool = new ModelPool(100, 64);
  pool.create(1);
  pool.devices.get(1)?.mappings.set(5, { dataBlock: 7, time: 0 });
  pool.held = new Map(pool.devices);
  pool.addOwned(9, 2);
  const copy = pool.clone();
  pool.snapshot(2, pool.devices.get(1)!);
  pool.devices.get(1)?.mappings.clear();
  pool.addOwned(9, -2);
  expect(copy.list()).toEqual([{ id: 1, mappedBlocks: 1, transactionId: 0, creationTime: 0, snapshottedTime: 0 }]);
  expect([copy.held?.get(1)?.mappings.size, copy.owned.get(9), copy.time]).toEqual([1, 2, 0]);
  expect(pool.list()).toEqual([
    { id: 1, mappedBlocks: 0, transactionId: 0, creationTime: 0, snapshottedTime: 1 },
    { id: 2, mappedBlocks: 1, transactionId: 0, creationTime: 1, snapshottedTime: 1 },
  ]);
  expect([pool.owned.size, pool.time]).toEqual([0, 1]);
});
