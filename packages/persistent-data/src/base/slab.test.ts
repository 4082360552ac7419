import { expect, test } from 'vitest';
import { AssertionError } from './assert.ts';
import { Slab } from './slab.ts';

test('a slab shows one memory as bytes, little-endian words and a view', () => {
  const slab = Slab.ofSize(16);
  expect([slab.bytes.length, slab.words.length, slab.view.byteLength]).toEqual([16, 4, 16]);
  slab.words[1] = 0x0403_0201;
  expect(Array.from(slab.bytes)).toEqual([0, 0, 0, 0, 1, 2, 3, 4, ...new Array(8).fill(0)]);
  expect(slab.view.getUint16(5, true)).toBe(0x0302);
  slab.view.setUint32(8, 7, true);
  expect(slab.words[2]).toBe(7);
});

test('a slab is made of whole words', () => {
  expect(() => new Slab(new ArrayBuffer(6))).toThrow(AssertionError);
  expect(Slab.ofSize(0).bytes.length).toBe(0);
});
