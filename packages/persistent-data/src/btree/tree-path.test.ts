import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { TreePath } from './tree-path.ts';

test('a path knows the blocks from the root to its leaf, and finds the leaf again', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, i, i);
  const path = new TreePath(space.tm, 8);
  expect(path.leafBlock).toBe(-1);
  expect(path.seekAtLeast(root, 0, 600)).toBeGreaterThanOrEqual(0);
  expect(path.path).toEqual([root, path.leafBlock]);
  const first = path.node.keyAt(0);
  path.node.base = 0;
  path.touch();
  expect(path.node.keyAt(0)).toBe(first);
  let leaves = 1;
  while (path.nextLeaf()) leaves++;
  expect(path.leafBlock).toBe(-1);
  expect(leaves).toBeGreaterThan(1);
});
