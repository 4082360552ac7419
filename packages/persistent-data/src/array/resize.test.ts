import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { PersistentArray } from './array.ts';
import { checkArray } from './check.ts';
import './resize.ts';

test('any sequence of lengths keeps what was there and fills what is new', () => {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  let root = array.empty();
  let model: number[] = [];
  let seed = 5;
  for (let step = 1; step < 60; step++) {
    seed = (seed * 48271) % 2147483647;
    const length = [seed % 4000, 509 * (seed % 6), 509 * (seed % 6) + 1][step % 3]!;
    root = array.resize(root, model.length, length, step);
    model = Array.from({ length }, (_, i) => model[i] ?? step);
    const found: number[] = [];
    array.walk(root, (_index, value) => found.push(value), length);
    expect(found).toEqual(model);
    expect([...checkArray(space.tm, root, { valueSize: 8, length })]).toEqual([]);
    if (step % 7 === 0) space.commit();
  }
  array.delete(array.resize(root, model.length, 0, 0));
  expect(space.counts()).toEqual(new Map([[0, 1]]));
});

test('a shrink within the last block leaves its block where it was made', () => {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  const root = array.create(600, (i) => i);
  const { size } = space.counts();
  expect(array.resize(root, 600, 520, 0)).toBe(root);
  expect(array.get(root, 519)).toBe(519);
  expect(array.get(root, 520)).toBeUndefined();
  expect(space.counts().size).toBe(size);
});

test('a shrink to a whole number of blocks leaves none behind that a later shrink would miss', () => {
  // The kernel's rule removes blocks only when fewer full ones are left. From 510 elements to 509 it leaves the second block, and from 509 to
  // 0 it takes the first one, so that the tree held a block of index 1 alone.
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  const root = array.resize(
    array.resize(
      array.create(510, (i) => i),
      510,
      509,
      0,
    ),
    509,
    0,
    0,
  );
  expect(array.tree.firstKey(root)).toBeUndefined();
  expect(space.counts()).toEqual(
    new Map([
      [0, 1],
      [root, 1],
    ]),
  );
});
