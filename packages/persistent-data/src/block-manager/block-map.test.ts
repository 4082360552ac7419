import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockMap } from './block-map.ts';

test('a block is nowhere until it is set, anywhere in 2^31 blocks', () => {
  const map = new BlockMap();
  for (const b of [0, 1, 4095, 4096, 123_456_789, 2 ** 31 - 1]) {
    expect([map.slot(b), map.evictedAt(b)]).toEqual([-1, -1]);
    map.set(b, b % 1000);
    expect([map.slot(b), map.evictedAt(b)]).toEqual([b % 1000, -1]);
  }
});

test('a block that was evicted is nowhere, and its moment is known', () => {
  const map = new BlockMap();
  for (const moment of [0, 1, 2 ** 30 - 1]) {
    map.set(7, 3);
    map.evict(7, moment);
    expect(map.slot(7)).toBeLessThan(0);
    expect(map.evictedAt(7)).toBe(moment);
  }
  map.set(7, 0);
  expect([map.slot(7), map.evictedAt(7)]).toEqual([0, -1]);
  map.clear();
  expect([map.slot(7), map.evictedAt(7)]).toEqual([-1, -1]);
});

test('it answers as a map does', () => {
  const change = fc.record({ b: fc.oneof(fc.nat(50), fc.nat(2 ** 20)), to: fc.integer({ min: -1, max: 100 }) });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const map = new BlockMap();
      const model = new Map<number, number>();
      for (const { b, to } of changes) {
        if (to < 0) map.evict(b, 5);
        else map.set(b, to);
        model.set(b, to);
      }
      for (const [b, to] of model) {
        expect(Math.max(map.slot(b), -1)).toBe(to < 0 ? -1 : to);
        expect(map.evictedAt(b)).toBe(to < 0 ? 5 : -1);
      }
    }),
  );
});
