import { describe, expect, test } from 'vitest';
import { countedType, expectShape, referenceCounts, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import type { NodeView } from '../format/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { type BuiltLeaf, LeafBuilder, releaseLeaves } from './leaf-builder.ts';

const MAX = 252;
const THIRD = MAX / 3;

/** Data blocks that are counted, and leaves that hold entries for them. */
class Shared {
  readonly space = new ScratchSpace();
  readonly counts = new Map<number, number>();
  readonly valueType = countedType(8, this.counts);
  readonly leaves: BuiltLeaf[] = [];

  constructor(begin: number, count: number) {
    const builder = new LeafBuilder(this.space.tm, this.valueType, (leaf) => this.leaves.push(leaf));
    for (let i = begin; i < begin + count; i++) this.add(builder, i);
    builder.finish();
  }

  /** A fresh value carries a reference of its own. */
  add(builder: LeafBuilder<number> | BtreeBuilder<number>, key: number): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    builder.add(0, key, key);
  }

  /** Checks the counts of blocks and values against what the trees and the leaves hold. */
  expectCounts(roots: number[], leaves: readonly BuiltLeaf[]): void {
    const values = new Map<number, number>();
    const leaf = (node: NodeView) => {
      for (let i = 0; i < node.nrEntries; i++) {
        const value = this.valueType.read(node.slab, node.valueAt(i));
        values.set(value, (values.get(value) ?? 0) + 1);
      }
    };
    const trees = [...roots, ...leaves.map(({ block }) => block)].map((root) => ({ root, leaf }));
    expect(referenceCounts(this.space, trees)).toEqual(this.space.counts());
    expect(values).toEqual(this.counts);
  }
}

describe.each([1, THIRD - 1, THIRD, MAX, MAX + 1, 3 * MAX, 3 * MAX + 40])('%i shared entries', (count) => {
  test.each([0, 1, THIRD - 1, THIRD, 200, MAX, 2 * MAX, 2 * MAX + 10, 700])('between %i others', (others) => {
    for (const [before, after] of [
      [others, 0],
      [0, others],
      [others, others],
      [others, 5],
      [5, others],
    ] as const) {
      const shared = new Shared(10_000, count);
      const builder = new BtreeBuilder(shared.space.tm, shared.valueType);
      for (let i = 0; i < before; i++) shared.add(builder, i);
      builder.addLeaves(shared.leaves);
      for (let i = 0; i < after; i++) shared.add(builder, 20_000 + i);
      const root = builder.finish();
      expect(builder.nrEntries).toBe(before + count + after);
      expect(expectShape(shared.space, root)).toHaveLength(before + count + after);
      shared.expectCounts([root], shared.leaves);
      releaseLeaves(shared.space.tm, shared.valueType, shared.leaves);
      shared.expectCounts([root], []);
    }
  });
});

test('trees that share leaves share their blocks, and can be deleted in any order', () => {
  const shared = new Shared(1000, 10 * MAX);
  const roots = [1, 2, 3].map((first) => {
    const builder = new BtreeBuilder(shared.space.tm, shared.valueType);
    shared.add(builder, first);
    builder.addLeaves(shared.leaves);
    return builder.finish();
  });
  releaseLeaves(shared.space.tm, shared.valueType, shared.leaves);
  // The first shared leaf was taken apart each time, as one entry fills no leaf; the others are there once.
  const counts = shared.leaves.map(({ block }) => shared.space.spaceMap.getCount(block));
  expect(counts).toEqual([0, ...Array.from({ length: 9 }, () => 3)]);
  shared.expectCounts(roots, []);
  const tree = new Btree(shared.space.tm, { valueType: shared.valueType });
  for (const root of roots) tree.delete(root);
  expect(shared.counts.size).toBe(0);
  expect(shared.space.counts()).toEqual(new Map([[0, 1]]));
});

test('a shared leaf alone is the root', () => {
  const shared = new Shared(0, 200);
  const builder = new BtreeBuilder(shared.space.tm, shared.valueType);
  builder.addLeaves(shared.leaves);
  expect(builder.finish()).toBe(shared.leaves[0]!.block);
  expect(shared.space.spaceMap.getCount(shared.leaves[0]!.block)).toBe(2);
});

test('shared leaves out of order are refused, and nothing has changed', () => {
  const shared = new Shared(100, 10);
  const builder = new BtreeBuilder(shared.space.tm, shared.valueType);
  shared.add(builder, 100);
  expect(() => builder.addLeaves(shared.leaves)).toThrow('key 100 follows 100');
  shared.expectCounts([builder.finish()], shared.leaves);
});
