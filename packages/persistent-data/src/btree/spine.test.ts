import { expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import type { NodeView } from '../format/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { ShadowSpine } from './spine.ts';
import { blockReferenceType } from './value-type.ts';

function valueCounts(space: ScratchSpace, tree: Btree<number>, roots: number[]): Map<number, number> {
  const values = new Map<number, number>();
  const leaf = (node: NodeView) => {
    for (let i = 0; i < node.nrEntries; i++) {
      const value = tree.valueType.read(node.slab, node.valueAt(i));
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  };
  const trees = roots.map((root) => ({ root, levels: tree.levels, leaf }));
  expect(referenceCounts(space, trees)).toEqual(space.counts());
  return values;
}

test('R2: removing from a tree that a snapshot shares counts what the copied leaves hold', () => {
  // The kernel's removal took the wrong type of value for the leaves it copied, so that the snapshot's data were freed.
  for (const levels of [1, 2, 3]) {
    const space = new ScratchSpace({ nrBlocks: 8192 });
    const counts = new Map<number, number>();
    const tree = new Btree(space.tm, { valueType: countedType(8, counts), levels });
    const keys = (i: number) => [...Array.from({ length: levels - 1 }, (_, level) => (i >>> level) % 2), i];
    let root = tree.empty();
    for (let i = 0; i < 2000; i++) {
      counts.set(i, 1);
      root = tree.insert(root, keys(i), i);
    }
    space.tm.inc(root);
    let head = root;
    for (let i = 0; i < 2000; i += 7) {
      head = tree.remove(head, keys(i));
      if (i % 70 === 0) expect(valueCounts(space, tree, [root, head])).toEqual(counts);
    }
    for (let i = 0; i < 2000; i++) {
      if (tree.lookup(root, keys(i)) !== i) throw new Error(`the snapshot lost ${i}`);
      if (tree.lookup(head, keys(i)) !== (i % 7 === 0 ? undefined : i)) throw new Error(`the origin has ${i}`);
    }
    tree.delete(root);
    expect(valueCounts(space, tree, [head])).toEqual(counts);
    tree.delete(head);
    expect(counts.size).toBe(0);
  }
});

test('R11: a shared leaf of sub-tree roots counts them when it is copied', () => {
  // The kernel copied the leaf and left the sub-trees with a count of one, so that the next change was made in place: in both versions.
  const space = new ScratchSpace({ nrBlocks: 8192 });
  const counts = new Map<number, number>();
  const tree = new Btree(space.tm, { valueType: countedType(8, counts), levels: 2 });
  let root = tree.empty();
  let value = 0;
  const insert = (to: number, device: number, block: number) => {
    counts.set(++value, 1);
    return tree.insert(to, [device, block], value);
  };
  for (let device = 0; device < 300; device++) root = insert(root, device, 5);
  // As a metadata snapshot does; then devices are created, written and removed.
  space.tm.inc(root);
  let head = root;
  for (let device = 250; device < 350; device++) head = insert(head, device, 6);
  expect(valueCounts(space, tree, [root, head])).toEqual(counts);
  head = insert(head, 10, 5);
  expect(tree.lookup(root, [10, 5])).toBe(11);
  expect(tree.has(root, [260, 6])).toBe(false);
  expect(valueCounts(space, tree, [root, head])).toEqual(counts);
  tree.delete(root);
  expect(valueCounts(space, tree, [head])).toEqual(counts);
  tree.delete(head);
  expect([counts.size, space.counts()]).toEqual([0, new Map([[0, 1]])]);
});

test('a spine holds two nodes at most, and remembers the first as the root', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 252 * 252 + 1; i++) builder.add(0, i, i);
  const root = builder.finish();
  space.commit();
  const spine = new ShadowSpine(space.tm);
  const type = blockReferenceType(space.tm);
  spine.begin();
  spine.step(root, type);
  expect([spine.hasParent, space.blockManager.nrLocked]).toEqual([false, 1]);
  const middle = space.node(root).childAt(0);
  const leaf = space.node(middle).childAt(0);
  spine.step(middle, type);
  spine.patchParent(0);
  spine.step(leaf, type);
  spine.patchParent(0);
  expect(space.blockManager.nrLocked).toBe(2);
  spine.end();
  expect(space.blockManager.nrLocked).toBe(0);
  expect(spine.root).not.toBe(root);
  expect(expectShape(space, spine.root)).toHaveLength(252 * 252 + 1);
});
