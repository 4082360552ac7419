import { Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { ZeroMap } from './zero-map.ts';

test('knows what a set of numbers knows', () => {
  const random = new Random(3);
  const map = new ZeroMap();
  const wanted = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const begin = random.below(1000);
    if (random.chance(0.3)) {
      const end = begin + random.below(150);
      map.add(begin, end);
      for (let block = begin; block < end; block++) wanted.add(block);
    } else {
      map.delete(begin);
      wanted.delete(begin);
    }
    const probe = random.below(1300);
    expect(map.has(probe)).toBe(wanted.has(probe));
  }
});

test('knows nothing of blocks far out', () => {
  const map = new ZeroMap();
  map.add(2 ** 28, 2 ** 28 + 10);
  expect(map.has(2 ** 28)).toBe(false);
  map.delete(2 ** 40 - 1);
  expect(map.has(2 ** 40 - 1)).toBe(false);
});
