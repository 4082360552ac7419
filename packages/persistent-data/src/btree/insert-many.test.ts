import { describe, expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import type { U64 } from '../base/index.ts';
import { maxEntriesFor, type NodeView } from '../format/index.ts';
import { Btree } from './btree.ts';
import { insertMany } from './insert-many.ts';
import { range } from './range.ts';
import { treeStatistics } from './stats.ts';

function randomFrom(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

function pairs(keys: Iterable<number>): [U64, number][] {
  return Array.from(keys, (key) => [key, key % 200]);
}

describe.each([1, 8, 12, 500, 1346])('values of %i bytes', (size) => {
  test.each([1, 2, 3, 4, 5, 6])('batches of any kind give what single inserts give (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const space = new ScratchSpace();
    const tree = new Btree(space.tm, { valueType: patternType(size) });
    const model = new Map<number, number>();
    let root = tree.empty();
    for (let step = 0; step < 15; step++) {
      const begin = random(6000);
      const stride = 1 + random(40);
      const count = random(4) === 0 ? random(3 * maxEntriesFor(size) + 2) : random(30);
      const batch = Array.from({ length: count }, (_, i): [number, number] => [begin + i * stride, random(250)]);
      if (random(5) === 0) batch.reverse();
      const nrNew = batch.filter(([key]) => !model.has(key)).length;
      const outcome = insertMany(tree, root, batch);
      root = outcome.root;
      expect(outcome.nrNew).toBe(nrNew);
      for (const [key, value] of batch) model.set(key, value);
      expect(expectShape(space, root)).toEqual([...model.keys()].sort((a, b) => a - b));
    }
    expect([...range(tree, root)]).toEqual([...model].sort((a, b) => a[0] - b[0]));
    expect(referenceCounts(space, [{ root }])).toEqual(space.counts());
    expect(space.blockManager.nrLocked).toBe(0);
  });
});

test('keys in order fill the leaves', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const { root, nrNew } = insertMany(tree, tree.empty(), pairs(Array.from({ length: 100_000 }, (_, i) => i)));
  expect(nrNew).toBe(100_000);
  expect(treeStatistics(space.tm, root, { valueSize: 8 }).leafFill).toBeGreaterThan(0.98);
  expect(expectShape(space, root)).toHaveLength(100_000);
});

test('a run into the middle of a full leaf', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let { root } = insertMany(tree, tree.empty(), pairs(Array.from({ length: 3000 }, (_, i) => 1000 * i)));
  root = insertMany(tree, root, pairs(Array.from({ length: 999 }, (_, i) => 1_500_001 + i))).root;
  expect(expectShape(space, root)).toHaveLength(3999);
});

test('a descending batch and one below all keys', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = insertMany(tree, tree.empty(), pairs(Array.from({ length: 1000 }, (_, i) => 5000 - i))).root;
  root = insertMany(tree, root, pairs(Array.from({ length: 1000 }, (_, i) => i))).root;
  expect(expectShape(space, root)).toHaveLength(2000);
});

test('keys of 64 bits', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const keys: U64[] = [0, 2 ** 32 - 1, 2 ** 32, 2n ** 63n, 2n ** 64n - 1n];
  const { root } = insertMany(
    tree,
    tree.empty(),
    keys.map((key, i) => [key, i] as const),
  );
  expect([...range(tree, root)]).toEqual(keys.map((key, i) => [key, i]));
});

test('values that are overwritten are given up, snapshots keep theirs, sub-trees are made', () => {
  const space = new ScratchSpace();
  const counts = new Map<number, number>();
  const tree = new Btree(space.tm, { valueType: countedType(8, counts), levels: 2 });
  const fresh = (keys: number[], add: number) =>
    keys.map((key): [number, number] => {
      counts.set(key + add, (counts.get(key + add) ?? 0) + 1);
      return [key, key + add];
    });
  const all = Array.from({ length: 1000 }, (_, i) => i);
  const first = insertMany(tree, tree.empty(), fresh(all, 0), [7]);
  expect(first.nrNew).toBe(1000);
  space.tm.inc(first.root);
  const second = insertMany(
    tree,
    first.root,
    fresh(
      all.filter((key) => key % 3 === 0),
      5000,
    ),
    [7],
  );
  expect(second.nrNew).toBe(0);
  const third = insertMany(tree, second.root, fresh([1, 2], 9000), [8]);
  expect(third.nrNew).toBe(2);
  const values = new Map<number, number>();
  const leaf = (node: NodeView) => {
    for (let i = 0; i < node.nrEntries; i++) {
      const value = tree.valueType.read(node.slab, node.valueAt(i));
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  };
  const trees = [first.root, third.root].map((root) => ({ root, levels: 2, leaf }));
  expect(referenceCounts(space, trees)).toEqual(space.counts());
  expect(values).toEqual(counts);
  expect(tree.lookup(first.root, [7, 3])).toBe(3);
  expect(tree.lookup(third.root, [7, 3])).toBe(5003);
  expect(tree.lookup(third.root, [8, 2])).toBe(9002);
});

test('no entries change nothing; a wrong one breaks the transaction', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const root = tree.empty();
  expect(insertMany(tree, root, [])).toEqual({ root, nrNew: 0 });
  let returned = false;
  function* entries(): Generator<[U64, number]> {
    try {
      yield [1, 1];
      yield [-1, 1];
    } finally {
      returned = true;
    }
  }
  expect(() => insertMany(tree, root, entries())).toThrow(RangeError);
  expect([returned, space.tm.broken]).toEqual([true, expect.any(RangeError)]);
  expect(() => insertMany(tree, root, [], [5])).toThrow('Cannot use 1 upper keys: the tree has 1 levels');
});
