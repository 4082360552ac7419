import { type ArrayCheckOptions, type CheckedArray, checkArray } from '../array/index.ts';
import type { Finding } from '../base/index.ts';
import type { Root } from '../btree/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import { BITSET_WORD, wordsFor } from './word.ts';

/** As for an array; `length` is in bits. */
export type BitsetCheckOptions = Omit<ArrayCheckOptions, 'valueSize'>;

/** Checks a bitset: the array of its words, as {@link checkArray} does. */
export function checkBitset(
  reader: BlockReader,
  root: Root,
  options: BitsetCheckOptions = {},
): Generator<Finding, CheckedArray, undefined> {
  return checkArray(reader, root, { ...options, length: wordsFor(options.length ?? 0), valueSize: BITSET_WORD.size });
}
