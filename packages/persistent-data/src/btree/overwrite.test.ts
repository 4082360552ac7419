import { expect, test } from 'vitest';
import { expectShape, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { overwriteLeaf } from './overwrite.ts';
import { TreeContext } from './tree-context.ts';
import { PLAIN_U64, writeU64 } from './value-type.ts';

test('a value is changed in place, once the way to it is shadowed', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U64 });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, i, i);
  space.tm.inc(root);
  const { slab } = space.blockManager;
  const changed = tree.overwrite(root, 700, (at) => writeU64(slab, at, 7))!;
  expect([tree.lookup(changed, 700), tree.lookup(root, 700)]).toEqual([7, 700]);
  expect(space.tm.nrShadows).toBeGreaterThan(0);
  expect(tree.overwrite(changed, 1000, () => expect.unreachable())).toBeUndefined();
  expect(space.blockManager.nrLocked).toBe(0);
});

test('`overwriteLeaf()` leaves the leaf locked, or nothing', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U64 });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, i, i);
  const context = new TreeContext(space.tm, 1, PLAIN_U64);
  context.setKeys(300);
  const index = overwriteLeaf(context, root);
  expect(context.node.keyAt(index)).toBe(300);
  expect(space.blockManager.nrLocked).toBe(2);
  context.spine.end();
  context.setKeys(3000);
  expect([overwriteLeaf(context, root), space.blockManager.nrLocked]).toEqual([-1, 0]);
  expect(expectShape(space, context.spine.root)).toHaveLength(1000);
});
