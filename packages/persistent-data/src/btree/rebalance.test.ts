import { expect, test } from 'vitest';
import { expectShape, patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import './rebalance.ts';

test.each([7919, 1, 59])('no leaf becomes empty where nodes have room for 3 entries only (step %i)', (step) => {
  const space = new ScratchSpace({ nrBlocks: 2048 });
  const tree = new Btree(space.tm, { valueType: patternType(1346) });
  let root = tree.empty();
  for (let i = 0; i < 60; i++) root = tree.insert(root, i, i);
  let left = Array.from({ length: 60 }, (_, i) => i);
  for (let i = 0; left.length > 0; i++) {
    const key = left[(i * step) % left.length]!;
    root = tree.remove(root, key);
    left = left.filter((k) => k !== key);
    expect(expectShape(space, root)).toEqual(left);
  }
});
