import { expect, test } from 'vitest';
import { crc32cWords } from './crc32c.ts';
import { FOLD_DISTANCES, makeBlockFold } from './crc32c-fold.ts';

const POLYNOMIAL = 0x82f6_3b78;
/** The polynomial 1: bits are reflected. */
const ONE = 0x8000_0000;

/** A polynomial times x, modulo Castagnoli's. */
function timesX(a: number): number {
  return (a & 1 ? (a >>> 1) ^ POLYNOMIAL : a >>> 1) >>> 0;
}

function power(exponent: number): number {
  let result = ONE;
  for (let i = 0; i < exponent; i++) result = timesX(result);
  return result;
}

test.each([32, 128])('a piece of %i bits is the sum of those behind it', (bits) => {
  const farthest = FOLD_DISTANCES.at(-1)!;
  const sum = FOLD_DISTANCES.reduce((xor, distance) => (xor ^ power(bits * (farthest - distance))) >>> 0, 0);
  expect(sum).toBe(power(bits * farthest));
});

const fold = makeBlockFold();

test('this host can fold', () => {
  expect(fold).toBeDefined();
});

test.skipIf(fold === undefined)('a folded block has the CRC of the block, whatever single bit is set in it', () => {
  const { block, short } = fold!;
  for (let word = 0; word < 1024; word++) {
    block.fill(0);
    block[word] = 1 << ((word * 7) % 32);
    fold!.fold();
    expect(crc32cWords(short, 0, short.length, 0)).toBe(crc32cWords(block, 0, 1024, 0));
  }
});
