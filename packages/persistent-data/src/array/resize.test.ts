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
