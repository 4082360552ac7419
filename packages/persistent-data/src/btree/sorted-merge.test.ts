import { describe, expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import type { NodeView } from '../format/index.ts';
import { Random } from '../testing/random.ts';
import { Btree } from './btree.ts';
import { PutBuffer } from './put-buffer.ts';
import { range } from './range.ts';
import { SortedMerge } from './sorted-merge.ts';
import { treeStatistics } from './stats.ts';
import { TreeContext } from './tree-context.ts';

/** A merge, and a way to merge numbered entries in one batch. */
function merging(space: ScratchSpace, valueType = patternType(8)) {
  const merge = new SortedMerge(new TreeContext(space.tm, 1, valueType));
  const buffer = new PutBuffer(valueType.size);
  const all = (root: number, entries: Iterable<readonly [number, number]>, beforeLeaf?: () => void): number => {
    buffer.clear();
    for (const [key, value] of entries) {
      valueType.write(buffer.values, buffer.end, value);
      buffer.push(Math.floor(key / 2 ** 32), key >>> 0);
    }
    buffer.putInOrder((at, by) => {
      const { dec, equal } = valueType;
      if (dec !== undefined && !equal?.(buffer.values, at, buffer.values, by)) dec(buffer.values, at, 1);
    });
    return merge.merge(root, buffer, beforeLeaf);
  };
  return { merge, all };
}

test.each([
  [[], [1, 2, 3]],
  [
    [5, 6],
    [1, 2],
  ],
  [
    [5, 6],
    [7, 8],
  ],
  [
    [5, 7, 9],
    [4, 5, 6, 8, 9, 10],
  ],
  [
    [1, 2, 3, 4],
    [2, 3],
  ],
])('a leaf of %o takes %o', (old, run) => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (const key of old) root = tree.insert(root, key, key);
  const { merge, all } = merging(space);
  root = all(
    root,
    run.map((key) => [key, 100 + key]),
  );
  expect(merge.nrNew).toBe(run.filter((key) => !old.includes(key)).length);
  const wanted = [...new Set([...old, ...run])].sort((a, b) => a - b);
  expect([...range(tree, root)]).toEqual(wanted.map((key) => [key, run.includes(key) ? 100 + key : key]));
});

describe.each([1, 4, 8, 12, 500, 1346])('values of %i bytes', (size) => {
  test.each([1, 2, 3, 4])('batches of any kind give what single inserts give (seed %i)', (seed) => {
    const random = new Random(seed);
    const space = new ScratchSpace({ nrBlocks: 8192, cacheBlocks: 4096 });
    const tree = new Btree(space.tm, { valueType: patternType(size) });
    const { merge, all } = merging(space, patternType(size));
    const model = new Map<number, number>();
    let root = tree.empty();
    const most = size > 100 ? 200 : 4000;
    for (let step = 0; step < 14; step++) {
      // Dense or sparse, in order or not, all over the place or in one; over 2^32 as well.
      const begin = random.below(3) === 0 ? 2 ** 32 - random.below(4000) : random.below(8000);
      const width = 1 + random.below(random.below(2) === 0 ? 20_000 : 300);
      const isOrdered = random.below(3) === 0;
      const entries = Array.from({ length: random.below(most) }, (_, i): [number, number] => [
        begin + (isOrdered ? i : random.below(width)),
        random.below(250),
      ]);
      const nrBefore = model.size;
      for (const [key, value] of entries) model.set(key, value);
      let nrLocked = 0;
      root = all(root, entries, () => {
        nrLocked += space.blockManager.nrLocked;
      });
      expect([merge.nrNew, nrLocked]).toEqual([model.size - nrBefore, 0]);
      expect(expectShape(space, root)).toEqual([...model.keys()].sort((a, b) => a - b));
      if (random.below(3) === 0) space.commit();
    }
    expect([...range(tree, root)]).toEqual([...model].sort((a, b) => a[0] - b[0]));
    expect(referenceCounts(space, [{ root }])).toEqual(space.counts());
    expect(space.blockManager.nrLocked).toBe(0);
  });
});

test('keys in order fill the leaves, batch after batch; random ones fill them as single inserts do', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const { all } = merging(space);
  const fillOf = (root: number) => treeStatistics(space.tm, root, { valueSize: 8 }).leafFill;
  const inOrder = Array.from({ length: 100_000 }, (_, i): [number, number] => [i, i & 127]);
  let ordered = tree.empty();
  for (let i = 0; i < inOrder.length; i += 8192) ordered = all(ordered, inOrder.slice(i, i + 8192));
  expect(fillOf(ordered)).toBeGreaterThan(0.97);
  const random = new Random(7);
  const anyhow = inOrder.map((_, i): [number, number] => [random.below(2 ** 30), i & 127]);
  let merged = tree.empty();
  for (let i = 0; i < anyhow.length; i += 8192) merged = all(merged, anyhow.slice(i, i + 8192));
  let single = tree.empty();
  for (const [key, value] of anyhow) single = tree.insert(single, key, value);
  expect(fillOf(merged)).toBeGreaterThan(fillOf(single) - 0.04);
});

test('values that are overwritten are given up, snapshots keep theirs', () => {
  const space = new ScratchSpace();
  const counts = new Map<number, number>();
  const type = countedType(8, counts);
  const tree = new Btree(space.tm, { valueType: type });
  const { all } = merging(space, type);
  const fresh = (keys: number[], add: number) =>
    keys.map((key): [number, number] => {
      counts.set(key + add, (counts.get(key + add) ?? 0) + 1);
      return [key, key + add];
    });
  const keys = Array.from({ length: 1000 }, (_, i) => (i * 7) % 1000);
  const first = all(tree.empty(), fresh(keys, 0));
  space.tm.inc(first);
  const third = keys.filter((key) => key % 3 === 0);
  // All of them twice in one batch: the former value is given up as well.
  const second = all(first, [...fresh(third, 3000), ...fresh(third, 5000)]);
  const values = new Map<number, number>();
  const leaf = (node: NodeView) => {
    for (let i = 0; i < node.nrEntries; i++) {
      const value = type.read(node.slab, node.valueAt(i));
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  };
  expect(
    referenceCounts(
      space,
      [first, second].map((root) => ({ root, leaf })),
    ),
  ).toEqual(space.counts());
  expect(values).toEqual(counts);
  expect([tree.lookup(first, 3), tree.lookup(second, 3), tree.lookup(second, 4)]).toEqual([3, 5003, 4]);
});
