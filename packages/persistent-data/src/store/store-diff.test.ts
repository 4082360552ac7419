import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u32 } from './codec.ts';
import { Store } from './store.ts';

const newStore = (): Store => Store.open(new MemoryDevice({ nrBlocks: 0 }));

test('collections that were added, removed, changed and replaced are listed by name', () => {
  const store = newStore();
  for (const name of ['kept', 'changed', 'replaced', 'removed']) store.tree(name, { value: u32 }).set(1, 1);
  const before = store.snapshot('before');
  expect(store.diff(before, store.head).collections()).toEqual([]);
  store.tree('changed', { value: u32 }).set(2, 2);
  store.delete('removed');
  store.delete('replaced');
  store.tree('replaced', { value: u32 }).set(1, 1);
  store.tree('added', { value: u32 });
  expect(store.diff(before, store.head).collections()).toEqual([
    { kind: 'added', name: 'added' },
    { kind: 'changed', name: 'changed' },
    { kind: 'removed', name: 'removed' },
    { kind: 'replaced', name: 'replaced' },
  ]);
});

test('a state that lacks a collection has an empty one, on either side', () => {
  const store = newStore();
  const before = store.snapshot('before');
  store.array('a', { value: u32, length: 3, fill: 7 });
  store.bitset('b', { length: 3 });
  store.tree('t', { keys: 2, value: u32 }).set([1, 2], 3);
  const there = store.diff(before, store.head);
  const back = store.diff(store.head, before);
  expect([...there.array('a')]).toEqual([0, 1, 2].map((index) => ({ index, before: undefined, after: 7 })));
  expect([...back.array('a')]).toEqual([0, 1, 2].map((index) => ({ index, before: 7, after: undefined })));
  expect([...there.bitset('b')]).toEqual([0, 1, 2].map((index) => ({ index, before: undefined, after: false })));
  expect([...back.bitset('b')]).toEqual([0, 1, 2].map((index) => ({ index, before: false, after: undefined })));
  expect([...there.tree('t')]).toEqual([{ kind: 'added', key: [1, 2], before: undefined, after: 3 }]);
  expect([...back.tree('t')]).toEqual([{ kind: 'removed', key: [1, 2], before: 3, after: undefined }]);
  expect(() => [...there.tree('nobody has it')]).toThrow(StateError);
});

test('an array that ends inside of a block that both share hides what is behind its end', () => {
  const store = newStore();
  const array = store.array('a', { value: u32, length: 3000, fill: 7 });
  const before = store.snapshot('before');
  store.transact(() => array.resize(2500, 7));
  // Whatever blocks were copied: the differences are those of the elements.
  const wanted = Array.from({ length: 500 }, (_, i) => ({ index: 2500 + i, before: 7, after: undefined }));
  expect([...store.diff(before, store.head).array('a')]).toEqual(wanted);
  store.transact(() => array.resize(3000, 8));
  expect([...store.diff(before, store.head).array('a')]).toEqual(
    Array.from({ length: 500 }, (_, i) => ({ index: 2500 + i, before: 7, after: 8 })),
  );
});

test('sets of bits differ at the edge of the shorter one, also when other words differ before and behind it', () => {
  const store = newStore();
  const bits = store.bitset('b', { length: 100 });
  const before = store.snapshot('before');
  store.transact(() => {
    bits.resize(1000);
    bits.set(3);
    bits.set(999);
  });
  const found = [...store.diff(before, store.head).bitset('b')];
  expect(found[0]).toEqual({ index: 3, before: false, after: true });
  expect(found.slice(1).map(({ index }) => index)).toEqual(Array.from({ length: 900 }, (_, i) => 100 + i));
  expect(found.filter(({ after }) => after === true).map(({ index }) => index)).toEqual([3, 999]);
  // The word at the edge is the same in both; only a later one differs.
  const long = store.snapshot('long');
  store.transact(() => {
    bits.resize(100);
    bits.resize(1000);
  });
  expect([...store.diff(long, store.head).bitset('b')]).toEqual([{ index: 999, before: true, after: false }]);
});
