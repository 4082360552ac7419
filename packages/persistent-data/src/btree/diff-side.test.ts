import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { BtreeBuilder } from './builder.ts';
import { DiffSide } from './diff-side.ts';

test('a side goes over its tree by items and entries, and steps over what was entered in vain', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 1000; i++) builder.add(0, i, i);
  const root = builder.finish();
  const side = new DiffSide(space.tm, root, 8);
  expect([side.isItem, side.itemBlock, side.itemHeight]).toEqual([true, root, 1]);
  side.expand();
  const first = side.itemBlock;
  expect([side.isItem, side.itemLow, side.itemHeight]).toEqual([true, 0, 0]);
  side.expand();
  expect([side.isItem, side.leafBlock, side.nrEntries]).toEqual([false, first, 252]);
  expect(side.skipIfFresh(12345)).toBe(false);
  expect(side.skipIfFresh(first)).toBe(true);
  expect([side.isItem, side.itemLow]).toEqual([true, 252]);
  side.expand();
  side.index = 1;
  expect(side.skipIfFresh(side.leafBlock)).toBe(false);
  side.index = 252;
  expect(side.isLeafDone).toBe(true);
  side.leaveLeaf();
  side.skip();
  side.skip();
  expect([side.done, side.isItem]).toEqual([true, false]);
});

test('a side without a tree, and one of an empty tree, have nothing', () => {
  const space = new ScratchSpace();
  expect(new DiffSide(space.tm, undefined, 8).done).toBe(true);
  const side = new DiffSide(space.tm, new BtreeBuilder(space.tm, patternType(8)).finish(), 8);
  side.expand();
  expect(side.done).toBe(true);
});
