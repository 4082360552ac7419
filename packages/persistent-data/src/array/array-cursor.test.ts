import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { StateError } from '../base/index.ts';
import { PersistentArray } from './array.ts';
import { ArrayCursor } from './array-cursor.ts';

function arrayOf(length: number, size = 8) {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(size));
  return { space, array, root: array.create(length, (i) => i) };
}

test('a cursor goes over all elements', () => {
  const { space, array, root } = arrayOf(1600);
  const cursor = new ArrayCursor(array, root);
  const seen: unknown[] = [];
  for (let more = cursor.seek(0); more; more = cursor.next()) seen.push([cursor.index, cursor.value]);
  expect(seen).toEqual(Array.from({ length: 1600 }, (_, i) => [i, i]));
  expect([cursor.valid, cursor.next(), cursor.skip(5)]).toEqual([false, false, false]);
  expect(() => cursor.value).toThrow(StateError);
  expect(space.blockManager.nrLocked).toBe(0);
});

test('R22: a skip over the end of a block comes out at the right element', () => {
  // The kernel's skip took the wrong index in the next block, and after an error released a block twice.
  const max = 509;
  const { space, array, root } = arrayOf(5 * max + 10);
  const cursor = new ArrayCursor(array, root);
  for (const from of [0, 1, max - 1, max, 2 * max - 1]) {
    for (const count of [
      0,
      1,
      max - 1,
      max,
      max + 1,
      2 * max - 1,
      2 * max,
      2 * max + 1,
      3 * max,
      5 * max,
      5 * max + 9,
    ]) {
      expect(cursor.seek(from)).toBe(true);
      const index = from + count;
      expect(cursor.skip(count)).toBe(index < 5 * max + 10);
      if (index < 5 * max + 10) expect([cursor.index, cursor.value]).toEqual([index, index]);
      else expect(cursor.valid).toBe(false);
    }
  }
  expect(() => cursor.seek(0) && cursor.skip(-1)).toThrow(RangeError);
  expect(space.blockManager.nrLocked).toBe(0);
});

test('after an error nothing is locked, and the cursor can be used again', () => {
  const { space, array, root } = arrayOf(2000);
  const second = array.tree.lookup(root, 1)!;
  space.commit();
  space.device.write(second, [new Uint8Array(4096)]);
  space.reopen();
  const again = new PersistentArray(space.tm, patternType(8));
  const cursor = new ArrayCursor(again, root);
  cursor.seek(508);
  expect(() => cursor.next()).toThrow(`Cannot read array_block block ${second}`);
  expect([cursor.valid, space.blockManager.nrLocked]).toEqual([false, 0]);
  expect(cursor.seek(1018) && cursor.value).toBe(1018);
});

test('a cursor notices a change, unless the array is frozen', () => {
  const { space, array, root } = arrayOf(1000);
  space.tm.inc(root);
  const cursor = new ArrayCursor(array, root);
  const frozen = new ArrayCursor(array, root, { frozen: true });
  cursor.seek(0);
  frozen.seek(0);
  array.set(root, 1, 99);
  expect(() => cursor.next()).toThrow(StateError);
  expect(frozen.next() && frozen.value).toBe(1);
});

test('array blocks are read ahead, in runs', () => {
  const { space, root } = arrayOf(509 * 400);
  space.commit();
  space.reopen();
  const cursor = new ArrayCursor(new PersistentArray(space.tm, patternType(8)), root);
  let count = 0;
  for (let more = cursor.seek(0); more; more = cursor.next()) count++;
  const { blocksRead, reads } = space.blockManager.statistics;
  expect(count).toBe(509 * 400);
  expect(blocksRead).toBe(space.counts().size - 1);
  expect(reads).toBeLessThan(40);
});
