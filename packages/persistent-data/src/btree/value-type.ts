import { type Slab, TWO_POW_32 } from '../base/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

/**
 * What a tree's values are: their size, how they are read and written in place, and what they refer to.
 *
 * All offsets are byte offsets in a {@link Slab}. Several values lie one after the other, `size` bytes apart.
 */
export interface ValueType<V> {
  /** For messages: `u64`, `block_time`, … */
  readonly name: string;
  /** Bytes, 1 to 1346. */
  readonly size: number;
  /** The value at `at`. What it returns is the caller's to keep. */
  read(slab: Slab, at: number): V;
  /** Writes all `size` bytes at `at`. @throws {TypeError | RangeError} when `value` is none of this type. */
  write(slab: Slab, at: number, value: V): void;
  /** The leaf that holds these values was duplicated: each of them is referred to once more. Never called for a fresh value. */
  inc?(slab: Slab, at: number, count: number): void;
  /** These values are dropped: overwritten, removed, or their leaf freed. */
  dec?(slab: Slab, at: number, count: number): void;
  /** Whether two values are the same reference, so that overwriting one by the other counts nothing. */
  equal?(slabA: Slab, atA: number, slabB: Slab, atB: number): boolean;
}

/** Reads a u64 that is a block number or count; beyond 2^53 it comes out rounded. `at` is a multiple of 4. */
export function readU64(slab: Slab, at: number): number {
  const word = at >>> 2;
  return slab.words[word + 1]! * TWO_POW_32 + slab.words[word]!;
}

/** Writes a u64 below 2^53. `at` is a multiple of 4. */
export function writeU64(slab: Slab, at: number, value: number): void {
  const word = at >>> 2;
  slab.words[word] = value >>> 0;
  slab.words[word + 1] = value / TWO_POW_32;
}

/** Calls `range(begin, end)` for each run of consecutive numbers among `count` of them. */
export function forEachRun(
  count: number,
  numberAt: (i: number) => number,
  range: (begin: number, end: number) => void,
): void {
  let begin = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const b = numberAt(i);
    if (i > 0 && b === end) {
      end++;
    } else {
      if (i > 0) range(begin, end);
      begin = b;
      end = b + 1;
    }
  }
  if (count > 0) range(begin, end);
}

/** Values that refer to one block each, by its number: roots of sub-trees, as levels but the last have them. */
export function blockReferenceType(tm: TransactionManager): ValueType<number> {
  return {
    name: 'block',
    size: 8,
    read: readU64,
    write: writeU64,
    inc: (slab, at, count) =>
      forEachRun(
        count,
        (i) => readU64(slab, at + 8 * i),
        (begin, end) => tm.incRange(begin, end),
      ),
    dec: (slab, at, count) =>
      forEachRun(
        count,
        (i) => readU64(slab, at + 8 * i),
        (begin, end) => tm.decRange(begin, end),
      ),
    equal: (slabA, atA, slabB, atB) => readU64(slabA, atA) === readU64(slabB, atB),
  };
}

/** A u64 that refers to nothing, as a `number`: for counts and indexes below 2^53. */
export const PLAIN_U64: ValueType<number> = { name: 'u64', size: 8, read: readU64, write: writeU64 };

/** A u32 that refers to nothing. */
export const PLAIN_U32: ValueType<number> = {
  name: 'u32',
  size: 4,
  read: (slab, at) => slab.words[at >>> 2]!,
  write: (slab, at, value) => {
    slab.words[at >>> 2] = value;
  },
};
