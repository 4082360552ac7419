import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { PathPool } from './path-pool.ts';
import { forEachEntry } from './scan.ts';

test('a path is given to one caller at a time, and again once it came back', () => {
  const space = new ScratchSpace();
  const pool = new PathPool(space.tm, 8);
  const first = pool.take();
  const second = pool.take();
  expect(second === first).toBe(false);
  pool.giveBack(first);
  expect(pool.take() === first).toBe(true);
});

test('scans inside scans, and after scans that threw, see all entries', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  let root = tree.empty();
  for (let i = 0; i < 600; i++) root = tree.insert(root, i, i % 250);
  const broken = () =>
    forEachEntry(tree, root, (_slab, _high, low) => {
      if (low === 300) throw new Error('enough');
    });
  expect(broken).toThrow('enough');
  let pairs = 0;
  forEachEntry(tree, root, () => {
    forEachEntry(tree, root, (_slab, _high, low) => low < 3 && ++pairs > 0, { begin: 1 });
  });
  expect(pairs).toBe(600 * 2);
});
