import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { ArrayBlocks } from './array-blocks.ts';

test('a block is filled with copies, trimmed, and led to by the tree', () => {
  const space = new ScratchSpace();
  const blocks = new ArrayBlocks(space.tm, patternType(100));
  expect(blocks.perBlock).toBe(40);
  blocks.prepare(7);
  blocks.begin();
  blocks.fill(30);
  let root = blocks.insertNew(blocks.tree.empty(), 0);
  root = blocks.change(root, 0, () => blocks.trim(10));
  blocks.prepare(8);
  root = blocks.change(root, 0, () => blocks.fill(12));
  root = blocks.change(root, 0, () => blocks.overwrite(3));
  const { view } = blocks;
  const found = Array.from({ length: view.nrEntries }, (_, i) => blocks.valueType.read(view.slab, view.valueAt(i)));
  expect(found).toEqual([7, 7, 7, 8, 7, 7, 7, 7, 7, 7, 8, 8]);
  expect(() => blocks.change(root, 1, () => expect.unreachable())).toThrow('the array has none of that index');
});
