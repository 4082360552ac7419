import { expect, test } from 'vitest';
import { OriginSet } from './origin-set.ts';

test('blocks small and large are found again, others are not', () => {
  const set = new OriginSet();
  const known = new Set<number>();
  let seed = 12_345;
  for (let i = 0; i < 20_000; i++) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const block = i % 2 === 0 ? seed % 100_000 : 2 ** 29 + (seed % 5000) * 2 ** 18;
    expect(set.add(block)).toBe(known.has(block));
    known.add(block);
  }
});

test('the ends', () => {
  const set = new OriginSet();
  const ends = [0, 2 ** 24 - 1, 2 ** 24, 2 ** 29 - 1, 2 ** 29, 2 ** 32, 2 ** 48 - 1];
  expect(ends.map((block) => set.add(block))).toEqual(ends.map(() => false));
  expect(ends.map((block) => set.add(block))).toEqual(ends.map(() => true));
});
