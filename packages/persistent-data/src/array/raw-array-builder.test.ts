import { expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { PLAIN_U32, PLAIN_U64 } from '../btree/index.ts';
import { PersistentArray } from './array.ts';
import { checkArray } from './check.ts';
import { RawArrayBuilder } from './raw-array-builder.ts';

test('words come out as elements, in pieces of any size, with zeros between them', () => {
  const space = new ScratchSpace();
  const builder = new RawArrayBuilder(space.tm, 4);
  const words = Uint32Array.from({ length: 3000 }, (_, i) => i + 1);
  builder.add(words, 0, 1);
  builder.add(words, 1, 2000);
  builder.fillTo(2001 + 1500);
  builder.add(words, 10, 5);
  expect(builder.length).toBe(3506);
  const root = builder.finish();
  const array = new PersistentArray(space.tm, PLAIN_U32);
  const found: number[] = [];
  array.walk(root, (_, value) => found.push(value));
  const wanted = [...words.slice(0, 2001), ...new Array<number>(1500).fill(0), 11, 12, 13, 14, 15];
  expect(found).toEqual(wanted);
  expect([...checkArray(space.tm, root, { valueSize: 4, length: 3506 })]).toEqual([]);
});

test('elements of two words; an empty array is an empty tree', () => {
  const space = new ScratchSpace();
  const builder = new RawArrayBuilder(space.tm, 8);
  builder.add(Uint32Array.of(9, 7, 1, 2, 0), 1, 2);
  const array = new PersistentArray(space.tm, PLAIN_U64);
  const root = builder.finish();
  expect(array.get(root, 0)).toBe(2 ** 32 + 7);
  expect(array.get(root, 1)).toBe(2);
  expect(array.get(root, 2)).toBeUndefined();
  expect(array.get(new RawArrayBuilder(space.tm, 8).finish(), 0)).toBeUndefined();
});
