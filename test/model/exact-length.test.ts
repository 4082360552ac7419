import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExactLength } from './exact-length.ts';

const item = fc.record({ kind: fc.constantFrom('a', 'b', 'bad'), n: fc.nat(100) });

test('lists have the length that was asked for', () => {
  fc.assert(
    fc.property(new ExactLength(item, 30), (list) => {
      expect(list).toHaveLength(30);
    }),
  );
});

test('a failure shrinks to the least that fails', () => {
  const property = fc.property(
    new ExactLength(item, 30),
    (list) => list.filter(({ kind, n }) => kind === 'bad' && n >= 7).length < 2,
  );
  const { counterexample } = fc.check(property, { seed: 1 });
  expect(counterexample).toEqual([
    [
      { kind: 'bad', n: 7 },
      { kind: 'bad', n: 7 },
    ],
  ]);
});
