import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, WouldBlockError } from '../base/index.ts';
import { Btree } from '../btree/index.ts';
import { BITMAP_VALIDATOR, NODE_VALIDATOR } from '../format/index.ts';

function committedTree(count: number) {
  const space = new ScratchSpace();
  let tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let key = 0; key < count; key++) root = tree.insert(root, key, key);
  space.commit();
  space.reopen();
  tree = new Btree(space.tm, { valueType: patternType(8) });
  return { space, tree, root };
}

test('it reads what is cached, and says so of what is not', () => {
  const { space, root } = committedTree(10);
  const clone = space.tm.nonBlockingClone();
  const text = `Cannot read btree_node block ${root} now: it is not in memory`;
  expect(() => clone.read(root, NODE_VALIDATOR)).toThrow(new WouldBlockError(text));
  const base = space.tm.read(root, NODE_VALIDATOR);
  expect(clone.read(root, NODE_VALIDATOR)).toBe(base);
  expect(() => clone.read(root, BITMAP_VALIDATOR)).toThrow(CorruptionError);
  expect(space.blockManager.nrLocked).toBe(0);
});

test('a look-up that would block succeeds after as many prefetches as the tree is high', () => {
  const { space, tree, root } = committedTree(1000);
  const clone = space.tm.nonBlockingClone();
  let nrBlocked = 0;
  for (;;) {
    try {
      expect(tree.lookup(root, 777, clone)).toBe(777);
      break;
    } catch (error) {
      expect(error).toBeInstanceOf(WouldBlockError);
      nrBlocked++;
      space.tm.issuePrefetches();
    }
  }
  expect(nrBlocked).toBe(2);
  // All went through prefetches, none through a read that waits.
  expect(space.blockManager.statistics).toMatchObject({ misses: 0, blocksRead: 2 });
  expect([tree.lookup(root, 778, clone), tree.has(root, 777, clone)]).toEqual([778, true]);
});

test('it can only read: there is nothing to change with', () => {
  const { space } = committedTree(1);
  const clone = space.tm.nonBlockingClone();
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(clone));
  expect(methods).toEqual(['constructor', 'read']);
});
