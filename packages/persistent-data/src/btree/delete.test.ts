import { expect, test } from 'vitest';
import { countedType, patternType, referenceCounts, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError } from '../base/index.ts';
import { Btree } from './btree.ts';
import { deleteTree } from './delete.ts';
import { TreeContext } from './tree-context.ts';

test('a tree frees all that nobody else refers to, and not more', () => {
  for (const levels of [1, 2, 3]) {
    const space = new ScratchSpace();
    const counts = new Map<number, number>();
    const tree = new Btree(space.tm, { valueType: countedType(12, counts), levels });
    let root = tree.empty();
    const keys = (i: number) => [...Array.from({ length: levels - 1 }, () => i % 3), i];
    for (let i = 0; i < 1000; i++) {
      counts.set(i, 1);
      root = tree.insert(root, keys(i), i);
    }
    space.tm.inc(root);
    counts.set(5000, 1);
    const other = tree.insert(root, keys(500), 5000);
    tree.delete(root);
    expect(referenceCounts(space, [{ root: other, levels }])).toEqual(space.counts());
    expect([counts.has(500), counts.get(5000), counts.size]).toEqual([false, 1, 1000]);
    tree.delete(other);
    expect([counts.size, space.counts(), space.blockManager.nrLocked]).toEqual([0, new Map([[0, 1]]), 0]);
  }
});

test('R15: a deletion that meets a bad block breaks the transaction, and a rollback leaves nothing locked', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, i, i);
  const leaf = space.node(root).childAt(2);
  space.commit();
  space.device.write(leaf, [new Uint8Array(4096)]);
  space.reopen();
  const context = new TreeContext(space.tm, 1, patternType(8));
  expect(() => deleteTree(context, root)).toThrow(CorruptionError);
  expect(space.tm.broken).toBeInstanceOf(CorruptionError);
  space.reopen();
  expect(space.blockManager.nrLocked).toBe(0);
});
