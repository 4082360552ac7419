import { expect, test } from 'vitest';
import { ReadOnlyError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u32, u64 } from './codec.ts';
import { Store } from './store.ts';
import { Usability } from './usability.ts';

test('a store says why it cannot be used, whatever was thrown', () => {
  const latched = new Usability(undefined, () => 'the cable is out');
  expect(() => latched.refuseUnusable('commit')).toThrow(ReadOnlyError);
  expect(() => latched.refuseUnusable('commit')).toThrow(/commit.*reopened: the cable is out/);
  const usable = new Usability(undefined, () => undefined);
  usable.refuseReadOnly('commit');
  usable.broken = new Error('no more room');
  expect(() => usable.refuseUnusable('commit')).toThrow(StateError);
  expect(() => usable.refuseUnusable('commit')).toThrow(/rolled back: no more room/);
});

test('what is closed, or in the middle of a transaction, refuses what it cannot do', () => {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }));
  store.begin();
  store.tree('t', { value: u32 }).set(1, 1);
  expect(() => [...store.check()]).toThrow(StateError);
  store.rollback();
  expect(store.has('t')).toBe(false);
  store.close();
  store.close();
  expect(() => store.rollback()).toThrow(/closed/);
});

test('a handle of before a rollback reads what is there now, also into an object', () => {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }));
  const plain = store.tree('plain', { value: u32 });
  const items = store.tree('items', { value: { a: u32, b: u64 } });
  plain.set(1, 1);
  items.set(1, { a: 1, b: 2 });
  for (const read of [() => plain.get(1), () => plain.getInto(1, 99)]) {
    store.begin();
    plain.set(1, 5);
    store.rollback();
    expect(read()).toBe(1);
  }
  store.begin();
  items.set(1, { a: 5, b: 5 });
  store.rollback();
  const into = { a: 0, b: 0 };
  expect(items.getInto(1, into)).toBe(into);
  expect(into).toEqual({ a: 1, b: 2 });
  expect(items.getInto(2, into)).toBeUndefined();
});

test('single changes outside of transactions are durable at once', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const array = store.array('a', { value: u32, length: 5, fill: 0 });
  const bits = store.bitset('b', { length: 50 });
  const nested = store.tree('n', { keys: 2, value: u32 });
  array.set(1, 1);
  array.set(2, 2);
  bits.setRange(3, 7);
  bits.setRange(4, 5, false);
  bits.setRange(9, 9);
  nested.set([1, 2 ** 40], 1);
  nested.set([2, 1], 2);
  const again = Store.open(device.fork());
  expect([...again.array('a', { value: u32 })]).toEqual([0, 1, 2, 0, 0]);
  expect([...again.bitset('b')]).toEqual([3, 5, 6]);
  expect([...again.tree('n', { keys: 2, value: u32 })]).toEqual([
    [[1, 2 ** 40], 1],
    [[2, 1], 2],
  ]);
  expect(nested.deleteRange()).toBe(2);
  const tree = store.tree('t', { value: u32 });
  tree.set(2 ** 33, 7);
  tree.set(2n ** 63n, 8);
  const seen: unknown[] = [];
  tree.forEach((value, key) => void seen.push([key, value]));
  expect(seen).toEqual([
    [2 ** 33, 7],
    [2n ** 63n, 8],
  ]);
});
