import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Coverage } from './coverage.ts';

test('agrees with an array of flags', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: -2, max: 32 }), fc.nat(8)), { maxLength: 40 }), (pieces) => {
      const coverage = new Coverage(0, 30);
      const flags = new Array<boolean>(30).fill(false);
      for (const [offset, length] of pieces) {
        const bytes = Array.from({ length }, (_, i) => offset + i);
        const fits = length > 0 && bytes.every((byte) => byte >= 0 && byte < 30 && !flags[byte]);
        expect(coverage.add(offset, length)).toBe(fits);
        if (fits) for (const byte of bytes) flags[byte] = true;
        expect(coverage.isComplete).toBe(flags.every(Boolean));
      }
    }),
  );
});

test('gaps are bounded', () => {
  const coverage = new Coverage(100, 1e6);
  for (let i = 0; i < 4096; i += 1) expect(coverage.add(100 + 2 * i, 1)).toBe(true);
  expect(coverage.add(99_999, 1)).toBe(false);
});
