import { describe, expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, StateError } from '../base/index.ts';
import type { NodeView } from '../format/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { MISSING, removeKey } from './remove.ts';
import { TreeContext } from './tree-context.ts';

/** A tree of the keys 0 to count - 1, made one by one as the kernel makes it. */
function counting(count: number, size = 8) {
  const space = new ScratchSpace({ nrBlocks: 8192 });
  const counts = new Map<number, number>();
  const tree = new Btree(space.tm, { valueType: size >= 4 ? countedType(size, counts) : patternType(size) });
  let root = tree.empty();
  for (let i = 0; i < count; i++) {
    counts.set(i, 1);
    root = tree.insert(root, i, i);
  }
  return { space, tree, root, counts };
}

function valuesOf(tree: Btree<number>, space: ScratchSpace, roots: number[]) {
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
      roots.map((root) => ({ root, leaf })),
    ),
  ).toEqual(space.counts());
  return values;
}

describe('R1: a removal finds its child again after the children were rebalanced', () => {
  // The kernel went on with the index from before, when the child had moved to another place or another child.
  const orders: Record<string, (i: number, n: number) => number> = {
    forward: (i) => i,
    backward: (i, n) => n - 1 - i,
    'from the middle': (i, n) => (i % 2 === 0 ? (n >>> 1) + (i >>> 1) : (n >>> 1) - 1 - (i >>> 1)),
    shuffled: (i, n) => (i * 1663) % n,
    'every other, then the rest': (i, n) => (i < Math.ceil(n / 2) ? 2 * i : 2 * (i - Math.ceil(n / 2)) + 1),
  };

  test.each(Object.keys(orders))('%s', (name) => {
    for (const [size, count] of [
      [8, 3000],
      [24, 1501],
      [500, 401],
    ] as const) {
      const { space, tree, root: full, counts } = counting(count, size);
      let root = full;
      const left = new Set(counts.keys());
      for (let i = 0; i < count; i++) {
        const key = orders[name]!(i, count);
        root = tree.remove(root, key);
        left.delete(key);
        if (tree.has(root, key)) throw new Error(`key ${key} is still there`);
        if (i % 97 === 0) expect(expectShape(space, root)).toEqual([...left].sort((a, b) => a - b));
      }
      expect([left.size, counts.size, tree.firstKey(root)]).toEqual([0, 0, undefined]);
      expect(space.counts()).toEqual(
        new Map([
          [0, 1],
          [root, 1],
        ]),
      );
    }
  });
});

test('R20: a removal that fails leaves the root as it was', () => {
  // The kernel assigned the new root although the removal had failed, and the old one had been given up.
  const { space, tree, root } = counting(1000);
  const before = space.counts();
  expect(() => tree.remove(root, 1000)).toThrow(new StateError('Cannot remove key 1000: it is not in the tree'));
  expect([space.counts(), space.tm.broken, space.blockManager.nrLocked]).toEqual([before, undefined, 0]);
  expect(expectShape(space, tree.remove(root, 999))).toHaveLength(999);
});

test('R20: when a removal runs out of space the transaction is broken, and the last commit is what it was', () => {
  const { space, tree, root } = counting(1000);
  space.commit();
  for (let allowed = 0; allowed < 4; allowed++) {
    let left = allowed;
    const { spaceMap } = space;
    const allocate = spaceMap.newBlock.bind(spaceMap);
    spaceMap.newBlock = () => {
      if (left-- === 0) throw new Error('no space');
      return allocate();
    };
    const current = new Btree(space.tm, { valueType: tree.valueType });
    expect(() => current.remove(root, 500)).toThrow('no space');
    expect(() => current.insert(root, 500, 1)).toThrow(StateError);
    space.reopen();
    expect(expectShape(space, root)).toHaveLength(1000);
    expect(space.blockManager.nrLocked).toBe(0);
  }
});

test('`removeKey()` of a key below all keys finds nothing', () => {
  const { space, root } = counting(1000);
  const context = new TreeContext(space.tm, 1, patternType(8));
  context.setKeys(5);
  space.damage(root, (node) => node.setKey(0, 0, 10));
  expect(removeKey(context, root)).toBeUndefined();
  expect([MISSING, space.blockManager.nrLocked]).toEqual([-1, 0]);
});

describe('`removeLeaves()`', () => {
  test('stops at a gap, and its last attempt merges all the same', () => {
    const { space, tree, root } = counting(300);
    // 126 and 174: after 131 the leaf that is left has 169 entries below a root of one, after 132 the root is the leaf.
    const one = tree.removeLeaves(root, 0, 131);
    expect([one.count, space.node(one.root).isLeaf, space.node(one.root).nrEntries]).toEqual([131, false, 1]);
    const two = tree.removeLeaves(one.root, 131, 132);
    expect([two.count, space.node(two.root).isLeaf, space.node(two.root).nrEntries]).toEqual([1, true, 168]);
    const gap = tree.remove(two.root, 200);
    expect(tree.removeLeaves(gap, 190, 210).count).toBe(10);
  });

  test('removes up to the largest key there is', () => {
    const { tree, root: small } = counting(10);
    const root = tree.insert(small, 2n ** 64n - 1n, 5);
    const outcome = tree.removeLeaves(root, 5, 2n ** 64n - 1n);
    expect([outcome.count, tree.lastKey(outcome.root)]).toEqual([5, 2n ** 64n - 1n]);
  });
});

test('R30: a root that collapses over a shared child counts what the copy refers to', () => {
  // The kernel copied the only child over the root without counting its entries once more, although the snapshot kept the child: deleting the
  // snapshot then took counts below 0.
  const { space, tree, root: full, counts } = counting(300);
  const { root: one } = tree.removeLeaves(full, 0, 131);
  expect(space.node(one).nrEntries).toBe(1);
  space.tm.inc(one);
  const { root: head } = tree.removeLeaves(one, 131, 132);
  expect(head).not.toBe(one);
  expect(valuesOf(tree, space, [one, head])).toEqual(counts);
  expect([expectShape(space, one).length, expectShape(space, head).length]).toEqual([169, 168]);
  tree.delete(one);
  expect(valuesOf(tree, space, [head])).toEqual(counts);
  tree.delete(head);
  expect([counts.size, space.counts()]).toEqual([0, new Map([[0, 1]])]);
});

test('R30: the same where the only child is an internal node', () => {
  const space = new ScratchSpace({ nrBlocks: 8192 });
  const counts = new Map<number, number>();
  const tree = new Btree(space.tm, { valueType: countedType(24, counts) });
  const builder = new BtreeBuilder(space.tm, tree.valueType);
  const count = 126 * 252 + 1;
  for (let i = 0; i < count; i++) {
    counts.set(i, 1);
    builder.add(0, i, i);
  }
  let root = builder.finish();
  let first = 0;
  while (space.node(root).nrEntries > 1) root = tree.remove(root, first++);
  expect(space.node(space.node(root).childAt(0)).isLeaf).toBe(false);
  space.tm.inc(root);
  const head = tree.remove(root, first);
  expect(valuesOf(tree, space, [root, head])).toEqual(counts);
  tree.delete(root);
  expect(valuesOf(tree, space, [head])).toEqual(counts);
  tree.delete(head);
  expect([counts.size, space.counts()]).toEqual([0, new Map([[0, 1]])]);
});

test('a leaf that is changed while a value is given up is in use twice: corruption, and not a mistake of the program', () => {
  // What happened: a pool whose bitmap counted a node in use as free ended a deletion with "the entry exists", an assertion.
  // Why: the leaf was copied to that block, and giving a sub-tree up changed the tree of counts that was there, in place.
  // Now: the leaf is looked at again before the entry goes.
  const space = new ScratchSpace({ nrBlocks: 64 });
  let isWrong = false;
  const plain = patternType(8);
  const valueType = {
    ...plain,
    dec: (slab: { readonly words: Uint32Array }, at: number) => {
      // The header of the leaf whose value this is says how many entries there are.
      if (isWrong) slab.words[Math.floor(at / 4096) * 1024 + 4] = 1;
    },
  };
  const tree = new Btree(space.tm, { valueType });
  let root = tree.empty();
  for (let key = 0; key < 3; key++) root = tree.insert(root, key, key);
  isWrong = true;
  expect(() => tree.remove(root, 2)).toThrow(CorruptionError);
  expect(space.tm.broken).toBeInstanceOf(CorruptionError);
});
