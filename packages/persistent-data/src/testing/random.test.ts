import { expect, test } from 'vitest';
import { Random } from './random.ts';

test('`Random` gives the same numbers for the same seed, for ever', () => {
  const random = new Random(1);
  const first = Array.from({ length: 5 }, () => random.uint32());
  expect(first).toMatchInlineSnapshot(`
    [
      2442144158,
      3238099751,
      3819917871,
      2104621829,
      2021136066,
    ]
  `);
  const again = new Random(1);
  expect(Array.from({ length: 5 }, () => again.uint32())).toEqual(first);
  expect(new Random(2).uint32()).not.toBe(first[0]);
});

test('`Random.below()` reaches each number about equally often', () => {
  const random = new Random(3);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; ++i) counts[random.below(10)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test('`Random` stays inside its bounds', () => {
  const random = new Random(4);
  for (let i = 0; i < 1000; ++i) {
    expect(random.below(1)).toBe(0);
    expect([5, 6, 7]).toContain(random.between(5, 8));
    expect(random.float()).toBeLessThan(1);
    expect(['a', 'b']).toContain(random.pick(['a', 'b']));
  }
  expect([random.chance(0), random.chance(1)]).toEqual([false, true]);
});

test('`Random.shuffled()` keeps the items and leaves the given array alone', () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  const shuffled = new Random(5).shuffled(items);
  expect(shuffled).not.toEqual(items);
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(items);
  expect(items[0]).toBe(0);
});

test('`Random.fork()` does not depend on what is drawn from its parent later', () => {
  const [a, b] = [new Random(6), new Random(6)];
  const [forkA, forkB] = [a.fork(), b.fork()];
  a.bytes(100);
  expect(forkA.bytes(20)).toEqual(forkB.bytes(20));
});
