import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { PersistentArray } from './array.ts';
import { ArrayBuilder } from './array-builder.ts';
import { checkArray } from './check.ts';

test.each([0, 1, 508, 509, 510, 509 * 300 + 7])('a built array of %i is sound, and can be changed', (length) => {
  const space = new ScratchSpace();
  const builder = new ArrayBuilder(space.tm, patternType(8));
  for (let i = 0; i < length; i++) builder.add(i);
  expect(builder.length).toBe(length);
  let root = builder.finish();
  expect([...checkArray(space.tm, root, { valueSize: 8, length })]).toEqual([]);
  const array = new PersistentArray(space.tm, patternType(8));
  for (const i of [0, 508, 509, length - 1]) if (i >= 0 && i < length) expect(array.get(root, i)).toBe(i);
  root = array.resize(root, length, length + 600, 7);
  expect([...checkArray(space.tm, root, { valueSize: 8, length: length + 600 })]).toEqual([]);
  expect(space.blockManager.nrLocked).toBe(0);
});

test('a value that is refused breaks the transaction and leaves nothing locked', () => {
  const space = new ScratchSpace();
  const type = {
    ...patternType(4072),
    write: () => {
      throw new RangeError('no');
    },
  };
  expect(() => new ArrayBuilder(space.tm, type).add(1)).toThrow('no');
  expect([space.tm.broken, space.blockManager.nrLocked]).toEqual([expect.any(RangeError), 0]);
});
