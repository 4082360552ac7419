import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareHalves, highHalf, joinHalves, joinKey, lowHalf, type U64 } from './u64.ts';

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test('halves put together again give the number that was cut', () => {
  fc.assert(
    fc.property(u64, (value) => {
      const [high, low] = [highHalf(value), lowHalf(value)];
      expect((BigInt(high) << 32n) | BigInt(low)).toBe(value);
      const shown = joinKey(high, low);
      expect(BigInt(shown)).toBe(value);
      expect(typeof shown).toBe(value <= BigInt(Number.MAX_SAFE_INTEGER) ? 'number' : 'bigint');
      if (typeof shown !== 'number') return;
      expect([highHalf(shown), lowHalf(shown), joinHalves(high, low)]).toEqual([high, low, shown]);
    }),
  );
});

test('`joinHalves` is exact up to 2^53 - 1 and rounds above', () => {
  expect(joinHalves(0x1f_ffff, 0xffff_ffff)).toBe(Number.MAX_SAFE_INTEGER);
  expect(joinHalves(0xffff_ffff, 0xffff_ffff)).toBe(2 ** 64);
});

test('`compareHalves` orders as the numbers do', () => {
  fc.assert(
    fc.property(u64, u64, (a, b) => {
      const order = compareHalves(highHalf(a), lowHalf(a), highHalf(b), lowHalf(b));
      expect(Math.sign(order)).toBe(a < b ? -1 : Number(a > b));
    }),
  );
});

describe.each([highHalf, lowHalf])('%o', (half) => {
  test.each([-1, 1.5, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, -1n, 2n ** 64n])(
    'refuses %s, which is no u64',
    (value) => {
      const text = `Cannot use ${value} as an unsigned 64-bit integer: an integer from 0 to 2^53 - 1, or a bigint to 2^64 - 1, is wanted`;
      expect(() => half(value)).toThrow(new RangeError(text));
    },
  );

  test.each(['1', undefined, null, {}])('refuses %s, which is no number', (value) => {
    expect(() => half(value as unknown as U64)).toThrow(TypeError);
  });
});
