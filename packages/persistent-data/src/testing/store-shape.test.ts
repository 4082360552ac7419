import { expect, test } from 'vitest';
import { Store, u32 } from '../store/index.ts';
import { makeStore, type StoreShape } from './store-shape.ts';

const SHAPE: StoreShape = {
  collections: [
    { name: 'keys', kind: 'tree', length: 2000, stride: 3 },
    { name: 'numbers', kind: 'array', length: 3000 },
    { name: 'bits', kind: 'bitset', length: 5000 },
  ],
  options: { journalBlocks: 4, cacheBytes: 64 * 4096 },
};

test('`makeStore()` makes a sound store with collections of these lengths', () => {
  const store = Store.open(makeStore(SHAPE));
  expect([...store.check()]).toEqual([]);
  expect(store.collections().map(({ name, kind, size }) => [name, kind, size])).toEqual([
    ['bits', 'bitset', 5000],
    ['keys', 'tree', 2000],
    ['numbers', 'array', 3000],
  ]);
  expect([...store.tree('keys', { value: u32 }).entries()].slice(1, 3)).toEqual([
    [3, 1],
    [6, 2],
  ]);
});

test('`makeStore()` makes snapshots that share all but what was changed', () => {
  const alone = Store.open(makeStore(SHAPE)).statistics.nrAllocated;
  const store = Store.open(makeStore({ ...SHAPE, nrSnapshots: 3, changed: 2 }));
  expect([...store.check()]).toEqual([]);
  expect(store.snapshots().map(({ name }) => name)).toEqual(['snapshot 0', 'snapshot 1', 'snapshot 2']);
  // At most a leaf and its root for each change, and what lists them.
  expect(store.statistics.nrAllocated).toBeLessThan(alone + 3 * (2 * 3 * 2 + 8));
});

test('`makeStore()` leaves commits in the journal if it is asked to', () => {
  const device = makeStore({ ...SHAPE, nrInJournal: 5 });
  const store = Store.open(device, { readOnly: true });
  expect(store.statistics.journalBytes).toBeGreaterThan(0);
  expect(Store.open(makeStore(SHAPE), { readOnly: true }).statistics.journalBytes).toBe(0);
  expect([...store.check()]).toEqual([]);
});
