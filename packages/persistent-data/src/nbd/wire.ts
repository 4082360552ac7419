/**
 * Integers on the wire: big-endian, at any byte. A u64 is read as a `number`, exact up to 2^53 - 1; above it is rounded, but stays
 * above every size that an export can have, so that a comparison with one still says the truth. Never a `bigint`.
 */

const TWO_POW_32 = 0x1_0000_0000;

export function getU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function getU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function getU64(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at) * TWO_POW_32 + getU32(bytes, at + 4);
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** @param value - An integer from 0 to 2^53 - 1. */
export function putU64(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, (value / TWO_POW_32) >>> 0);
  putU32(bytes, at + 4, value >>> 0);
}
