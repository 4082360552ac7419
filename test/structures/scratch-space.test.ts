import { expect, test } from 'vitest';
import { Btree } from '../../packages/persistent-data/src/btree/index.ts';
import { countedType, expectShape, patternType, referenceCounts, ScratchSpace } from './scratch-space.ts';

test('a scratch space returns to its last commit', () => {
  const space = new ScratchSpace({ nrBlocks: 64 });
  let tree = new Btree(space.tm, { valueType: patternType(8) });
  const root = tree.insert(tree.empty(), 1, 11);
  space.commit();
  tree.insert(root, 2, 22);
  space.reopen();
  tree = new Btree(space.tm, { valueType: patternType(8) });
  expect(tree.lookup(root, 1)).toBe(11);
  expect(tree.lookup(root, 2)).toBeUndefined();
  expect(expectShape(space, root)).toEqual([1]);
  expect(referenceCounts(space, [{ root }])).toEqual(space.counts());
});

test('the reference counter sees a lost and a surplus count', () => {
  const space = new ScratchSpace({ nrBlocks: 64 });
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const root = tree.empty();
  space.tm.inc(root);
  expect(referenceCounts(space, [{ root }])).not.toEqual(space.counts());
  expect(referenceCounts(space, [{ root }, { root }])).toEqual(space.counts());
});

test('a counted type refuses to count below 0', () => {
  const space = new ScratchSpace({ nrBlocks: 64 });
  const counts = new Map<number, number>();
  const tree = new Btree(space.tm, { valueType: countedType(8, counts) });
  const root = tree.insert(tree.empty(), 1, 5);
  expect(() => tree.remove(root, 1)).toThrow('falls below 0');
});
