/**
 * An unsigned 64-bit integer at the API: a `number` where it is at most 2^53 - 1, else a `bigint`. Inside the library it is always
 * a pair of 32-bit halves; hot loops never touch a `bigint`.
 */
export type U64 = number | bigint;

export const TWO_POW_32 = 0x1_0000_0000;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;

function refuse(value: unknown): never {
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    throw new TypeError(`Cannot use a ${typeof value} as an unsigned 64-bit integer: a number or bigint is wanted`);
  }
  throw new RangeError(
    `Cannot use ${value} as an unsigned 64-bit integer: an integer from 0 to 2^53 - 1, or a bigint to 2^64 - 1, is wanted`,
  );
}

/** The upper 32 bits. @throws {RangeError | TypeError} when `value` is no u64. */
export function highHalf(value: U64): number {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0) refuse(value);
    return (value / TWO_POW_32) >>> 0;
  }
  if (typeof value !== 'bigint' || value < 0n || value > MAX_U64) refuse(value);
  return Number(value >> 32n);
}

/** The lower 32 bits. @throws {RangeError | TypeError} when `value` is no u64. */
export function lowHalf(value: U64): number {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0) refuse(value);
    return value >>> 0;
  }
  if (typeof value !== 'bigint' || value < 0n || value > MAX_U64) refuse(value);
  return Number(value & 0xffff_ffffn);
}

/** Two halves as a `number`, exact up to 2^53 - 1 and rounded above. For block numbers, whose bound is checked elsewhere. */
export function joinHalves(high: number, low: number): number {
  return high * TWO_POW_32 + low;
}

/** Two halves as the API shows them: a `number` where it is exact, else a `bigint`. */
export function joinKey(high: number, low: number): U64 {
  return high < 0x20_0000 ? high * TWO_POW_32 + low : (BigInt(high) << 32n) | BigInt(low);
}

/** Negative, 0 or positive as the first u64 is below, equal to or above the second. */
export function compareHalves(highA: number, lowA: number, highB: number, lowB: number): number {
  return highA !== highB ? highA - highB : lowA - lowB;
}
