import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { createEmpty } from './empty.ts';
import { TreeContext } from './tree-context.ts';

test('`createEmpty()` makes a leaf without entries, of the size of its level', () => {
  const space = new ScratchSpace({ nrBlocks: 64 });
  const context = new TreeContext(space.tm, 2, patternType(24));
  expect(space.node(createEmpty(context, 0)).toString()).toBe('leaf 0/252 of 8 bytes: ');
  expect(space.node(createEmpty(context, 1)).toString()).toBe('leaf 0/126 of 24 bytes: ');
  expect(space.blockManager.nrLocked).toBe(0);
});

test.each([1, 4, 8, 12, 24, 500, 1346])('a tree of 3 levels holds values of %i bytes', (size) => {
  const space = new ScratchSpace({ nrBlocks: 512 });
  const tree = new Btree(space.tm, { valueType: patternType(size), levels: 3 });
  let root = tree.empty();
  for (let i = 0; i < 200; i++) root = tree.insert(root, [i % 3, i % 5, i], i);
  for (let i = 0; i < 200; i++) expect(tree.lookup(root, [i % 3, i % 5, i])).toBe(i);
});
