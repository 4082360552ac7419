import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { u32, u64 } from './codec.ts';
import { Store } from './store.ts';

test('a store keeps what was committed, and rolls back what was not', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const stock = store.tree('stock', { keys: 2, value: { count: u32, price: u64 } });
  store.transact(() => stock.set([7, 1001], { count: 3, price: 250 }));
  expect(stock.get([7, 1001])).toEqual({ count: 3, price: 250 });
  const before = store.snapshot('before the sale');
  store.transact(() => stock.set([7, 1001], { count: 1, price: 199 }));
  expect(() =>
    store.transact(() => {
      stock.set([7, 1002], { count: 9, price: 9 });
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(stock.size).toBe(1);
  expect([...stock.range([7], [8])]).toEqual([[[7, 1001], { count: 1, price: 199 }]]);
  expect(before.tree('stock', { keys: 2, value: { count: u32, price: u64 } }).get([7, 1001])).toEqual({
    count: 3,
    price: 250,
  });
  store.close();
  const again = Store.open(device.fork(), { create: false });
  expect(again.tree('stock', { keys: 2, value: { count: u32, price: u64 } }).get([7, 1001])?.count).toBe(1);
  expect(again.snapshots().map(({ name }) => name)).toEqual(['before the sale']);
  again.close();
});

test('a store that was not closed opens as it was after its last commit', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 8 });
  const tree = store.tree('t', { value: u64 });
  const expected = new Map<number, number>();
  for (let i = 0; i < 500; i++) {
    store.transact(() => {
      for (let k = 0; k < 10; k++) {
        const key = (i * 7919 + k * 104729) % 5000;
        tree.set(key, i * k);
        expected.set(key, i * k);
      }
    });
    if (i % 50 === 0) {
      const copy = Store.open(device.fork());
      const read = copy.tree('t', { value: u64 });
      expect(read.size).toBe(expected.size);
      for (const [key, value] of expected) expect(read.get(key)).toBe(value);
      const readOnly = Store.open(device.fork(), { readOnly: true });
      expect([...readOnly.tree('t', { value: u64 })].length).toBe(expected.size);
    }
  }
  expect(store.statistics.generation).toBeGreaterThan(2);
});
