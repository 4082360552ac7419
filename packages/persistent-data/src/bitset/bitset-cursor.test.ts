import { expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { StateError } from '../base/index.ts';
import { Bitset } from './bitset.ts';
import { BitsetCursor } from './bitset-cursor.ts';

const PER_BLOCK = 509 * 64;

test('a cursor goes over all bits and no more', () => {
  const space = new ScratchSpace();
  const length = PER_BLOCK + 100;
  const root = Bitset.create(space.tm, length, (i) => i % 7 === 0).flush();
  const cursor = new BitsetCursor(space.tm, root, length);
  let count = 0;
  for (let more = cursor.seek(0); more; more = cursor.next()) {
    if (cursor.index !== count || cursor.value !== (count % 7 === 0)) throw new Error(`bit ${count}`);
    count++;
  }
  expect([count, cursor.valid, cursor.next()]).toEqual([length, false, false]);
  expect(() => cursor.value).toThrow(StateError);
});

test('R22: skips over the ends of words and blocks', () => {
  const space = new ScratchSpace();
  const length = 4 * PER_BLOCK;
  const root = Bitset.create(space.tm, length, (i) => i % 7 === 0).flush();
  const cursor = new BitsetCursor(space.tm, root, length);
  for (const from of [0, 63, 64, PER_BLOCK - 1]) {
    for (const count of [0, 1, 63, 64, 65, PER_BLOCK - 1, PER_BLOCK, PER_BLOCK + 1, 3 * PER_BLOCK, 4 * PER_BLOCK]) {
      expect(cursor.seek(from)).toBe(true);
      expect(cursor.skip(count)).toBe(from + count < length);
      if (from + count < length) expect([cursor.index, cursor.value]).toEqual([from + count, (from + count) % 7 === 0]);
    }
  }
});

test('an empty set has no bits', () => {
  const space = new ScratchSpace();
  const root = Bitset.create(space.tm, 0).flush();
  expect(new BitsetCursor(space.tm, root, 0).seek(0)).toBe(false);
});
