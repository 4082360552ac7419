import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { treeStatistics } from './stats.ts';

test('statistics of a built tree', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 252 * 252; i++) builder.add(0, i, i);
  expect(treeStatistics(space.tm, builder.finish(), { valueSize: 8 })).toEqual({
    height: 2,
    nrNodes: 253,
    nrLeaves: 252,
    nrEntries: 252 * 252,
    nrSubTrees: 0,
    leafFill: 1,
    internalFill: 1,
  });
});

test('statistics of an empty tree, and of a nested one with shared sub-trees', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(24), levels: 2 });
  let root = tree.empty();
  expect(treeStatistics(space.tm, root, { levels: 2, valueSize: 24 })).toMatchObject({
    height: 1,
    nrNodes: 1,
    leafFill: 0,
  });
  for (let i = 0; i < 63; i++) root = tree.insert(root, [1, i], i);
  const sub = tree.subTree(root, [1])!;
  root = tree.insert(root, [2, 0], 0);
  space.damage(root, (node) => node.setChild(1, sub));
  expect(treeStatistics(space.tm, root, { levels: 2, valueSize: 24 })).toEqual({
    height: 2,
    nrNodes: 2,
    nrLeaves: 2,
    nrEntries: 63,
    nrSubTrees: 1,
    leafFill: 65 / 378,
    internalFill: 1,
  });
});
