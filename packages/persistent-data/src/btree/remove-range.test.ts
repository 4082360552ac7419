import { describe, expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import { NODE_VALIDATOR, type NodeView } from '../format/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { removeRange } from './remove-range.ts';

function randomFrom(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

/** Counts of blocks and values are what these trees justify. */
function expectCounts(space: ScratchSpace, counts: Map<number, number>, tree: Btree<number>, roots: number[]): void {
  const values = new Map<number, number>();
  const leaf = (node: NodeView) => {
    for (let i = 0; i < node.nrEntries; i++) {
      const value = tree.valueType.read(node.slab, node.valueAt(i));
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  };
  expect(
    referenceCounts(
      space,
      roots.map((root) => ({ root, levels: tree.levels, leaf })),
    ),
  ).toEqual(space.counts());
  expect(values).toEqual(counts);
  expect(space.blockManager.nrLocked).toBe(0);
}

describe.each([8, 100, 500, 1346])('values of %i bytes', (size) => {
  test.each([1, 2, 3, 4, 5, 6])('any ranges of any tree, snapshots untouched (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const space = new ScratchSpace({ nrBlocks: 8192 });
    const counts = new Map<number, number>();
    const tree = new Btree(space.tm, { valueType: countedType(size, counts) });
    const nrKeys = [10, 300, 1000, 5000][random(4)]!;
    const builder = new BtreeBuilder(space.tm, tree.valueType);
    let model: number[] = [];
    for (let key = 0; key < nrKeys; key++) {
      if (random(3) === 0) continue;
      counts.set(key, 1);
      builder.add(0, key, key);
      model.push(key);
    }
    let root = builder.finish();
    for (let step = 0; step < 12; step++) {
      const snapshot = random(3) === 0 ? { root, model } : undefined;
      if (snapshot) space.tm.inc(root);
      const begin = random(nrKeys + 2);
      const end = random(4) === 0 ? nrKeys + 5 : begin + random(1 + (nrKeys >>> random(8)));
      const gone = model.filter((key) => key >= begin && key < end).length;
      const outcome = removeRange(tree, root, { begin, end });
      root = outcome.root;
      model = model.filter((key) => key < begin || key >= end);
      expect(outcome.count).toBe(gone);
      expect(expectShape(space, root)).toEqual(model);
      if (snapshot) {
        expect(expectShape(space, snapshot.root)).toEqual(snapshot.model);
        expectCounts(space, counts, tree, [root, snapshot.root]);
        tree.delete(snapshot.root);
      }
      expectCounts(space, counts, tree, [root]);
      for (let i = 0; i < 20; i++) {
        const key = random(nrKeys);
        if (!model.includes(key)) counts.set(key, 1);
        root = tree.insert(root, key, key);
        model = [...new Set([...model, key])].sort((a, b) => a - b);
      }
    }
  });
});

test('a removal inside one leaf, of everything, and of nothing', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, i, i);
  expect(removeRange(tree, root, { begin: 1000 })).toEqual({ root, count: 0 });
  expect(removeRange(tree, root, { begin: 500, end: 500 })).toEqual({ root, count: 0 });
  const one = removeRange(tree, root, { begin: 500, end: 501 });
  expect([one.count, tree.has(one.root, 500), tree.has(one.root, 501)]).toEqual([1, false, true]);
  const all = removeRange(tree, one.root, {});
  expect(all.count).toBe(999);
  expect(space.node(all.root).toString()).toBe('leaf 0/252 of 8 bytes: ');
  expect(space.counts()).toEqual(
    new Map([
      [0, 1],
      [all.root, 1],
    ]),
  );
  expect(expectShape(space, tree.insert(all.root, 5, 5))).toEqual([5]);
});

test('keys up to 2^64 - 1', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (const key of [0, 2 ** 32, 2n ** 63n, 2n ** 64n - 1n]) root = tree.insert(root, key, 1);
  const outcome = removeRange(tree, root, { begin: 2 ** 32, end: 2n ** 64n - 1n });
  expect([outcome.count, tree.lastKey(outcome.root)]).toEqual([2, 2n ** 64n - 1n]);
  expect(removeRange(tree, outcome.root, { begin: 2n ** 64n - 1n }).count).toBe(1);
});

test('within a sub-tree, and of whole sub-trees, beside a snapshot', () => {
  const space = new ScratchSpace();
  const counts = new Map<number, number>();
  const tree = new Btree(space.tm, { valueType: countedType(8, counts), levels: 3 });
  let root = tree.empty();
  for (let i = 0; i < 3000; i++) {
    counts.set(i, 1);
    root = tree.insert(root, [i % 5, i % 10, i], i);
  }
  space.tm.inc(root);
  const snapshot = root;
  const inner = removeRange(tree, root, { above: [1, 6], begin: 100, end: 1000 });
  expect(inner.count).toBe(90);
  expectCounts(space, counts, tree, [inner.root, snapshot]);
  const subTrees = removeRange(tree, inner.root, { above: [2], begin: 3 });
  expect(subTrees.count).toBe(1);
  expect(tree.has(subTrees.root, [2, 7, 7])).toBe(false);
  expect(tree.has(snapshot, [2, 7, 7])).toBe(true);
  expectCounts(space, counts, tree, [subTrees.root, snapshot]);
  const top = removeRange(tree, subTrees.root, { begin: 3 });
  expect(top.count).toBe(2);
  expectCounts(space, counts, tree, [top.root, snapshot]);
  expect(removeRange(tree, top.root, { above: [9, 9] })).toEqual({ root: top.root, count: 0 });
  expect(() => removeRange(tree, top.root, { above: [1, 2, 3] })).toThrow(TypeError);
  tree.delete(snapshot);
  tree.delete(top.root);
  expect(counts.size).toBe(0);
  expect(space.counts()).toEqual(new Map([[0, 1]]));
});

test('it reads leaves once each, and shadows only the edges', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 100_000; i++) builder.add(0, i, i);
  const root = builder.finish();
  space.commit();
  space.reopen();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const before = space.counts().size;
  expect(removeRange(tree, root, { begin: 1000, end: 99_000 }).count).toBe(98_000);
  expect(space.blockManager.statistics.blocksRead).toBeLessThanOrEqual(before);
  expect(space.tm.nrShadows).toBeLessThan(12);
});

test('a node that can not be read breaks the transaction', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 1000; i++) builder.add(0, i, i);
  const root = builder.finish();
  space.damage(root, (node) => node.setChild(1, 4095));
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  expect(() => removeRange(tree, root, { begin: 10, end: 900 })).toThrow(
    `Cannot read ${NODE_VALIDATOR.kind} block 4095`,
  );
  expect(space.tm.broken).toBeDefined();
});
