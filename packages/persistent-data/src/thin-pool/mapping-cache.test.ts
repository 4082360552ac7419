import { expect, test } from 'vitest';
import { MappingCache, UNMAPPED } from './mapping-cache.ts';

test('answers what was set, until another block takes the slot', () => {
  const cache = new MappingCache(8);
  expect(cache.find(3)).toBe(-1);
  const slot = cache.set(3, 65_536, true);
  expect(cache.find(3)).toBe(slot);
  expect(cache.offsets[slot]).toBe(65_536);
  expect(cache.isShared(slot)).toBe(true);
  cache.set(11, UNMAPPED, false);
  expect(cache.find(3)).toBe(-1);
  expect(cache.isShared(cache.find(11))).toBe(false);
});

test('tells blocks apart that agree in their low 32 bits', () => {
  const cache = new MappingCache(8);
  cache.set(2 ** 32 + 3, 1, false);
  expect(cache.find(3)).toBe(-1);
  expect(cache.find(2 ** 32 + 3)).toBeGreaterThanOrEqual(0);
});

test('block 0 is not there before it is set', () => {
  expect(new MappingCache(4).find(0)).toBe(-1);
});

test('`clear` forgets all', () => {
  const cache = new MappingCache(4);
  for (let round = 0; round < 100; round++) {
    for (let block = 0; block < 4; block++) cache.set(block, block, false);
    cache.clear();
    for (let block = 0; block < 4; block++) expect(cache.find(block)).toBe(-1);
  }
});

test('has a power of 2 of slots', () => {
  expect(() => new MappingCache(12)).toThrow(RangeError);
  expect(() => new MappingCache(0)).toThrow(RangeError);
});
