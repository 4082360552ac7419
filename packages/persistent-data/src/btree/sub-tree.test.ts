import { expect, test } from 'vitest';
import { patternType, referenceCounts, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { changeSubTree } from './sub-tree.ts';
import { TreeContext } from './tree-context.ts';

test('the way to a sub-tree is shadowed and led to its new root; a missing one changes nothing', () => {
  const space = new ScratchSpace();
  const valueType = patternType(8);
  const tree = new Btree(space.tm, { valueType, levels: 3 });
  const flat = new Btree(space.tm, { valueType });
  const context = new TreeContext(space.tm, 3, valueType);
  let root = tree.empty();
  for (let i = 0; i < 600; i++) root = tree.insert(root, [i, i % 2, 7], i);
  space.tm.inc(root);
  const changed = changeSubTree(context, root, [300, 0], (sub) => flat.insert(sub, 8, 88))!;
  expect(tree.lookup(changed, [300, 0, 8])).toBe(88);
  expect(tree.lookup(changed, [300, 0, 7])).toBe(300);
  expect(tree.has(root, [300, 0, 8])).toBe(false);
  expect(
    referenceCounts(space, [
      { root, levels: 3 },
      { root: changed, levels: 3 },
    ]),
  ).toEqual(space.counts());
  expect(changeSubTree(context, changed, [300, 1], () => expect.unreachable())).toBeUndefined();
  expect(changeSubTree(context, changed, [], (sub) => sub + 1)).toBe(changed + 1);
  expect(space.blockManager.nrLocked).toBe(0);
});
