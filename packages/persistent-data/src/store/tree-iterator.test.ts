import { expect, test } from 'vitest';
import type { U64 } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u32 } from './codec.ts';
import { Store } from './store.ts';
import { TreeIterator } from './tree-iterator.ts';

/** 2000 entries in 12 leaves and more: keys 3, 6, 9 and so on. */
function tripled(cacheBytes = 4 << 20) {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }), { cacheBytes });
  const tree = store.tree('t', { value: u32 });
  tree.setMany(Array.from({ length: 2000 }, (_, i): [U64, number] => [3 * i + 3, i]));
  return { store, tree };
}

test('bounds anywhere, in keys and between them, at the edges of leaves and beyond all, either way', () => {
  const { tree } = tripled();
  const keys = [...tree.keys()] as number[];
  const bounds = [undefined, 0, 3, 4, 5, 376, 377, 378, 379, 380, 381, 3000, 5999, 6000, 6001, 2n ** 64n - 1n];
  for (const begin of bounds) {
    for (const end of bounds) {
      const inside = keys.filter((key) => key >= (begin ?? 0) && (end === undefined || key < end));
      expect(Array.from(tree.range(begin, end), ([key]) => key)).toEqual(inside);
      expect(Array.from(tree.range(begin, end, { reverse: true }), ([key]) => key)).toEqual(inside.reverse());
    }
  }
});

test('bounds that are prefixes, either way', () => {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }), { cacheBytes: 4 << 20 });
  const tree = store.tree('n', { keys: 2, value: u32 });
  const all: [number, number][] = [];
  for (let a = 1; a < 6; a++) for (let b = 1; b < 200 * (a % 3); b++) all.push([a, b]);
  store.transact(() => tree.setMany(all.map((key, i): [[U64, U64], number] => [key, i])));
  const bounds: (number[] | undefined)[] = [
    undefined,
    [],
    [0],
    [1],
    [2],
    [2, 150],
    [2, 151],
    [3, 1],
    [5],
    [5, 399],
    [9],
  ];
  /** Whether a key is before a bound; below a prefix it is not. */
  const isBefore = (key: number[], bound: number[]) => {
    const at = bound.findIndex((part, i) => part !== key[i]);
    return at >= 0 && key[at]! < bound[at]!;
  };
  for (const begin of bounds) {
    for (const end of bounds) {
      const inside = all.filter((key) => !isBefore(key, begin ?? []) && (end === undefined || isBefore(key, end)));
      const keys = Array.from(tree.range(begin, end), ([key]) => key);
      expect(keys, `${begin} to ${end}`).toEqual(inside);
      const backward = Array.from(tree.range(begin, end, { reverse: true }), ([key]) => key);
      expect(backward, `${begin} to ${end}, backward`).toEqual(inside.reverse());
    }
  }
});

test('ends once and for all, however it ends', () => {
  const { store, tree } = tripled();
  const done = { done: true, value: undefined };
  const whole = tree.entries();
  expect([...whole]).toHaveLength(2000);
  expect(whole.next()).toEqual(done);
  const left = tree.keys();
  for (const key of left) if (key === 9) break;
  expect(left.next()).toEqual(done);
  const thrown = tree.values();
  expect(thrown.next()).toEqual({ done: false, value: 0 });
  expect(() => thrown.throw(new Error('enough'))).toThrow('enough');
  expect(thrown.next()).toEqual(done);
  const disposed = tree.entries();
  disposed[Symbol.dispose]();
  expect(disposed.next()).toEqual(done);
  const failed = tree.entries();
  failed.next();
  store.close();
  expect(() => failed.next()).toThrow('closed');
  expect(failed.next()).toEqual(done);
});

test('is an iterator as others are', () => {
  const { tree } = tripled();
  const iterator = tree.entries();
  expect(iterator).toBeInstanceOf(TreeIterator);
  expect(iterator[Symbol.iterator]()).toBe(iterator);
  const inherited = Object.getPrototypeOf(Object.getPrototypeOf([].values()));
  expect(Object.getPrototypeOf(TreeIterator.prototype)).toBe(inherited);
});

test('many at a time, each in its place, and some that are never ended', () => {
  const { tree } = tripled();
  let pairs = 0;
  for (const [a] of tree.range(5990)) {
    tree.entries().next();
    for (const [b] of tree.range(5990)) if (a !== b) pairs++;
    for (const b of tree.keys({ reverse: true })) {
      if (a === b) pairs++;
      if (Number(b) < 5990) break;
    }
  }
  expect(pairs).toBe(4 * 4);
});

test('goes on where it was when the leaf under it was evicted', () => {
  const { store, tree } = tripled(32 * 4096);
  for (let i = 0; i < 40; i++) store.tree(`other ${i}`, { value: u32 }).set(1, i);
  const seen: U64[] = [];
  for (const [key] of tree) {
    seen.push(key);
    // All other blocks go through the cache, which holds 32.
    if (seen.length % 50 === 0) for (let i = 0; i < 40; i++) store.tree(`other ${i}`, { value: u32 }).get(1);
  }
  expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => 3 * i + 3));
});
