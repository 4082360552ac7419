import fc from 'fast-check';
import { expect, test } from 'vitest';
import { getU16, getU32, getU64, putU16, putU32, putU64 } from './wire.ts';

test('integers are big-endian, at any byte', () => {
  fc.assert(
    fc.property(fc.nat(7), fc.maxSafeNat(), fc.nat(0xffffffff), fc.nat(0xffff), (at, u64, u32, u16) => {
      const bytes = new Uint8Array(32);
      const view = new DataView(bytes.buffer);
      putU64(bytes, at, u64);
      putU32(bytes, at + 8, u32);
      putU16(bytes, at + 12, u16);
      expect([Number(view.getBigUint64(at)), view.getUint32(at + 8), view.getUint16(at + 12)]).toEqual([u64, u32, u16]);
      expect([getU64(bytes, at), getU32(bytes, at + 8), getU16(bytes, at + 12)]).toEqual([u64, u32, u16]);
    }),
  );
});

test('what is above 2^53 stays above', () => {
  const bytes = new Uint8Array(8).fill(255);
  expect(getU64(bytes, 0)).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
});
