import { describe, expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import { CorruptionError } from '../base/index.ts';
import { createEmpty } from './empty.ts';
import { insertScratch } from './insert.ts';
import { ABSENT, findForRemoval, removeFound } from './lazy-remove.ts';
import { TreeContext } from './tree-context.ts';

/** The numbers below a prime, in another order. */
function shuffledKeys(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919) % count);
}

function treeOf(keys: readonly number[], size: number) {
  const space = new ScratchSpace({ nrBlocks: 8192 });
  const counts = new Map<number, number>();
  const type = countedType(size, counts);
  const context = new TreeContext(space.tm, 1, type);
  let root = createEmpty(context, 0);
  for (const key of keys) {
    context.setKeys(key);
    type.write(context.scratch, 0, key);
    counts.set(key, 1);
    root = insertScratch(context, root, { wasNew: false });
  }
  return { space, context, root, counts };
}

function remove(context: TreeContext<number>, root: number, key: number): number {
  context.setKeys(key);
  const found = findForRemoval(context, root);
  expect(found).not.toBe(ABSENT);
  return removeFound(context, root, found)!;
}

describe.each([8, 500, 1000])('values of %i bytes', (size) => {
  test('keys go one by one; no node comes out under-full, and an older version stays as it was', () => {
    const count = 2003;
    const keys = shuffledKeys(count);
    const { space, context, root: full, counts } = treeOf(keys, size);
    space.commit();
    space.tm.inc(full);
    let root = full;
    for (const [i, key] of keys.entries()) {
      root = remove(context, root, (key * 31) % count);
      if (i % 400 === 399) space.commit();
      if (i % 100 === 0) expect(expectShape(space, root)).toHaveLength(count - i - 1);
    }
    expect(expectShape(space, root)).toEqual([]);
    expect(expectShape(space, full)).toHaveLength(count);
    expect(space.counts()).toEqual(referenceCounts(space, [{ root }, { root: full }]));
    expect([counts.size, space.blockManager.nrLocked]).toEqual([count, 0]);
  });
});

test('most removals change one leaf', () => {
  const { space, context, root } = treeOf(shuffledKeys(2003), 8);
  space.commit();
  const again = remove(context, root, 1000);
  // The path, and no sibling.
  expect(space.tm.nrShadows).toBe(2);
  expect(remove(context, again, 1001)).toBe(again);
  expect(space.tm.nrShadows).toBe(2);
});

test('a key that is not there is not found, and nothing is changed', () => {
  const { space, context, root } = treeOf([5, 10, 15], 8);
  space.commit();
  for (const key of [0, 7, 20]) {
    context.setKeys(key);
    expect(findForRemoval(context, root)).toBe(ABSENT);
  }
  expect(space.tm.nrShadows).toBe(0);
});

test('a leaf whose values are of another size, and a circle, are errors', () => {
  const { space, root } = treeOf(shuffledKeys(1009), 8);
  const other = new TreeContext(space.tm, 1, patternType(16));
  other.setKeys(500);
  expect(() => findForRemoval(other, root)).toThrow(CorruptionError);
  const context = new TreeContext(space.tm, 1, patternType(8));
  context.setKeys(0);
  space.damage(root, (node) => node.setChild(0, root));
  expect(() => findForRemoval(context, root)).toThrow(/cycle/);
});
