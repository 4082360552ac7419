import { expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Slab } from '../base/index.ts';
import { Bitset } from '../bitset/index.ts';
import { Btree } from '../btree/index.ts';
import { WRITESET_VALUE, writesetType } from './writeset.ts';

test('a writeset takes twelve bytes, the root right behind the length', () => {
  const slab = Slab.ofSize(24);
  WRITESET_VALUE.write(slab, 12, { nrBits: 70, root: 2 ** 40 + 2 });
  expect(slab.words).toEqual(Uint32Array.of(0, 0, 0, 70, 2, 256));
  expect(WRITESET_VALUE.read(slab, 12)).toEqual({ nrBits: 70, root: 2 ** 40 + 2 });
});

test('an entry holds its bitset: a copied leaf one more, and with the last one it goes', () => {
  const space = new ScratchSpace();
  const { tm } = space;
  const tree = new Btree(tm, { valueType: writesetType(tm) });
  const bitset = Bitset.create(tm, 5000).flush();
  let root = tree.insert(tree.empty(), 3, { nrBits: 5000, root: bitset });
  const nrUsed = space.counts().size;
  // Overwriting by the same reference counts nothing.
  root = tree.insert(root, 3, { nrBits: 5000, root: bitset });
  expect(tm.ref(bitset)).toBe(1);
  tm.inc(root);
  const other = tree.insert(root, 4, { nrBits: 1, root: Bitset.create(tm, 1).flush() });
  expect(tm.ref(bitset)).toBe(2);
  tree.delete(other);
  expect(tm.ref(bitset)).toBe(1);
  expect(space.counts().size).toBe(nrUsed);
  tree.remove(root, 3);
  expect(tm.ref(bitset)).toBe(0);
});
