import { describe, expect, test } from 'vitest';
import { StateError, type U64 } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { goneError } from './branch.ts';
import { refuseFull } from './bulk.ts';
import { u32, u64 } from './codec.ts';
import { RawTree } from './raw-tree.ts';
import { removeTreeRange } from './raw-tree-range.ts';
import { Store } from './store.ts';
import { StoreTree } from './store-tree.ts';
import { TreeWalk } from './tree-walk.ts';

const MAX = 2n ** 64n - 1n;

function newStore(): Store {
  return Store.open(new MemoryDevice({ nrBlocks: 0 }), { cacheBytes: 4 << 20 });
}

function nested(store: Store) {
  const tree = store.tree('n', { keys: 3, value: u32 });
  store.transact(() => {
    for (let a = 0; a < 5; a++)
      for (let b = 0; b < 6; b++) for (let c = 0; c < 7; c++) tree.set([a, b, c], a * 100 + b * 10 + c);
  });
  return tree;
}

describe('one level', () => {
  test('set, get, has, delete, size', () => {
    const tree = newStore().tree('t', { value: u64 });
    expect(tree).toBeInstanceOf(StoreTree);
    for (const key of [0, 5, 2 ** 53 - 1, 2n ** 53n, MAX]) tree.set(key, key);
    expect(tree.size).toBe(5);
    expect([...tree.keys()]).toEqual([0, 5, 2 ** 53 - 1, 2n ** 53n, MAX]);
    expect([tree.get(MAX), tree.get(5n), tree.get(6)]).toEqual([MAX, 5, undefined]);
    expect([tree.has(0), tree.has(1)]).toEqual([true, false]);
    expect([tree.delete(5), tree.delete(5)]).toEqual([true, false]);
    tree.set(0, 7);
    expect([tree.size, tree.get(0)]).toEqual([4, 7]);
    expect(tree.getInto(0, 0)).toBe(7);
    expect(tree.getInto(1, 0)).toBeUndefined();
  });

  test('wrong keys and values are refused, and change nothing', () => {
    const store = newStore();
    const tree = store.tree('t', { value: u32 });
    for (const key of [-1, 0.5, 2n ** 64n, -1n]) expect(() => tree.set(key, 1)).toThrow(RangeError);
    expect(() => tree.set('1' as never, 1)).toThrow(TypeError);
    expect(() => tree.set([1, 2] as never, 1)).toThrow(TypeError);
    expect(() => tree.set(1, -1)).toThrow(RangeError);
    store.transact(() => {
      expect(() => tree.set(1, -1)).toThrow(RangeError);
      tree.set(2, 2);
    });
    expect([...tree]).toEqual([[2, 2]]);
  });

  test('neighbours and ends', () => {
    const tree = newStore().tree('t', { value: u32 });
    expect([tree.first(), tree.last(), tree.next(0), tree.previous(5)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    tree.setMany([
      [10, 1],
      [20, 2],
      [30, 3],
    ]);
    expect([tree.first(), tree.last()]).toEqual([
      [10, 1],
      [30, 3],
    ]);
    expect([tree.next(10), tree.next(11), tree.next(30)]).toEqual([[20, 2], [20, 2], undefined]);
    expect([tree.previous(10), tree.previous(20), tree.previous(MAX)]).toEqual([undefined, [10, 1], [30, 3]]);
    expect([tree.atLeast(20), tree.atLeast(21), tree.atLeast(31)]).toEqual([[20, 2], [30, 3], undefined]);
  });

  test('ranges, either way, and forEach', () => {
    const store = newStore();
    const tree = store.tree('t', { value: u32 });
    tree.setMany(Array.from({ length: 1000 }, (_, i): [U64, number] => [i * 2, i]));
    const keys = (generator: Iterable<[U64, number]>) => [...generator].map(([key]) => key);
    expect(keys(tree.range(10, 16))).toEqual([10, 12, 14]);
    expect(keys(tree.range(9, 15, { reverse: true }))).toEqual([14, 12, 10]);
    expect(keys(tree.range(1994))).toEqual([1994, 1996, 1998]);
    expect(keys(tree.range(undefined, 3, { reverse: true }))).toEqual([2, 0]);
    expect(keys(tree.range(5, 5))).toEqual([]);
    expect(keys(tree.range(7, 5))).toEqual([]);
    expect([...tree.values()]).toHaveLength(1000);
    expect([...tree.values({ reverse: true })][0]).toBe(999);
    const seen: U64[] = [];
    const three = (value: number, key: U64) => seen.push(key) < 3 && value >= 0;
    tree.forEach(three, 100);
    expect(seen).toEqual([100, 102, 104]);
    const all = (_: number, key: U64) => seen.push(key);
    tree.forEach(all, 1996, 1999);
    expect(seen.slice(3)).toEqual([1996, 1998]);
    for (const change of [
      () => tree.set(1, 0),
      () => tree.delete(2),
      () => store.begin(),
      () => store.close(),
      () => store.snapshot('s'),
      () => [...store.check()],
    ]) {
      expect(() => tree.forEach(change)).toThrow(StateError);
    }
    store.begin();
    tree.set(1, 1);
    for (const change of [() => tree.set(1, 0), () => store.commit(), () => store.rollback()]) {
      expect(() => tree.forEach(change)).toThrow(StateError);
    }
    store.rollback();
    expect([...store.check()]).toEqual([]);
  });

  test('a walk goes on correctly when the tree is changed meanwhile', () => {
    const store = newStore();
    const tree = store.tree('t', { value: u32 });
    store.transact(() => tree.setMany(Array.from({ length: 600 }, (_, i): [U64, number] => [i, i])));
    const seen: U64[] = [];
    store.transact(() => {
      for (const [key] of tree) {
        seen.push(key);
        tree.delete(key);
        tree.delete(Number(key) + 1);
        if (key === 10) tree.set(100_000, 1);
      }
    });
    expect(seen).toEqual([...Array.from({ length: 300 }, (_, i) => 2 * i), 100_000]);
    expect(tree.size).toBe(0);
    store.transact(() =>
      tree.setMany([
        [1, 1],
        [2, 2],
        [3, 3],
      ]),
    );
    const walk = tree.entries({ reverse: true });
    expect(walk.next().value).toEqual([3, 3]);
    store.begin();
    tree.set(0, 0);
    expect(walk.next().value).toEqual([2, 2]);
    store.rollback();
    expect([...walk]).toEqual([[1, 1]]);
  });

  test('is cleared, and loaded in bulk', () => {
    const store = newStore();
    const tree = store.tree('t', { value: u32 });
    const entries = Array.from({ length: 5000 }, (_, i): [U64, number] => [i, i]);
    tree.load(entries);
    expect([...tree]).toEqual(entries);
    expect(() => tree.load([])).toThrow(/has 5000 entries/);
    tree.clear();
    expect([tree.size, tree.first()]).toEqual([0, undefined]);
    expect(() =>
      tree.load([
        [2, 1],
        [1, 1],
      ]),
    ).toThrow(RangeError);
    expect(tree.size).toBe(0);
    store.begin();
    tree.load(entries);
    store.rollback();
    expect(tree.size).toBe(0);
    expect([...store.check()]).toEqual([]);
    expect(() => refuseFull('x', 1)).toThrow(StateError);
  });
});

describe('several levels', () => {
  test('entries come in the order of their keys, either way', () => {
    const tree = nested(newStore());
    const all = [...tree].map(([key]) => key);
    expect(all).toHaveLength(210);
    expect(all.slice(5, 9)).toEqual([
      [0, 0, 5],
      [0, 0, 6],
      [0, 1, 0],
      [0, 1, 1],
    ]);
    expect([...tree.entries({ reverse: true })].map(([key]) => key)).toEqual(all.reverse());
  });

  test.each([
    [[1], [2]],
    [
      [1, 3],
      [1, 5],
    ],
    [[1, 3, 5], [3]],
    [[], [0, 0, 3]],
    [[4, 5, 5], undefined],
    [[2], [2]],
    [
      [0, 9],
      [1, 0, 2],
    ],
    [[9], undefined],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  ])('a range from %j to %j is what a filter finds, and can be removed', (begin, end) => {
    const store = newStore();
    const tree = nested(store);
    const inside = [...tree].filter(([key]) => !isBefore(key, begin) && (end === undefined || isBefore(key, end)));
    expect([...tree.range(begin, end)]).toEqual(inside);
    expect([...tree.range(begin, end, { reverse: true })]).toEqual(inside.slice().reverse());
    expect(tree.deleteRange(begin, end)).toBe(inside.length);
    expect([...tree.range(begin, end)]).toEqual([]);
    expect(tree.size).toBe(210 - inside.length);
    expect([...tree]).toHaveLength(tree.size);
    expect([...store.check()]).toEqual([]);
  });

  test('sub-trees that become empty go away', () => {
    const store = newStore();
    const tree = store.tree('n', { keys: 2, value: u32 });
    const before = store.statistics.nrAllocated;
    store.transact(() => {
      for (let a = 0; a < 100; a++) tree.set([a, 1], a);
    });
    store.transact(() => {
      for (let a = 0; a < 100; a++) tree.delete([a, 1]);
    });
    expect([...store.check()]).toEqual([]);
    expect(store.statistics.nrAllocated).toBeLessThan(before + 10);
    expect([tree.first(), tree.last(), tree.next([0, 0]), tree.has([1, 1])]).toEqual([
      undefined,
      undefined,
      undefined,
      false,
    ]);
  });

  test('keys of the wrong length are refused', () => {
    const tree = nested(newStore());
    expect(() => tree.get([1, 2] as never)).toThrow(TypeError);
    expect(() => [...tree.range([1, 2, 3, 4])]).toThrow(TypeError);
    expect(() => tree.deleteRange([1, 2, 3, 4])).toThrow(TypeError);
    expect(() => tree.deleteRange([-1])).toThrow(RangeError);
    let count = 0;
    const visit = () => ++count < 10;
    expect(() => tree.forEach(visit, [1, 2, 3, 4])).toThrow(TypeError);
    tree.forEach(visit, [2]);
    expect(count).toBe(10);
  });

  test('is loaded in bulk', () => {
    const store = newStore();
    const tree = store.tree('n', { keys: 3, value: u32 });
    const entries = [...nested(newStore())];
    tree.load(entries as never);
    expect([...tree]).toEqual(entries);
    expect([...store.check()]).toEqual([]);
  });
});

test('the raw tree behind it removes below a prefix, and counts', () => {
  const store = newStore();
  nested(store);
  const { core } = store.engine;
  const raw = core.collection(core.head, core.namesOf(core.head).get('n')!.id) as RawTree;
  expect(raw).toBeInstanceOf(RawTree);
  core.checkOut(raw);
  expect(raw.countBelow(raw.root, 3)).toBe(210);
  expect(raw.removeBelow([1])).toBe(42);
  expect(raw.removeBelow([1])).toBe(0);
  expect(raw.removeBelow([2, 3])).toBe(7);
  expect(removeTreeRange(raw, [], [])).toBe(0);
  const walk = new TreeWalk();
  walk.begin(() => raw, {});
  let count = 0;
  while (walk.next()) count++;
  expect([count, raw.count]).toEqual([161, 161]);
  expect(raw.removeBelow([])).toBe(161);
  expect(goneError('read', 'n', 'the store').message).toBe(
    'Cannot read "n": the store has no such collection (any more)',
  );
});

function isBefore(key: readonly U64[], bound: readonly number[]): boolean {
  for (const [level, part] of bound.entries()) if (key[level] !== part) return key[level]! < part;
  return false;
}
