/**
 * bitset: sets of bits, in an array of 64-bit words, with one word in core.
 *
 * Promises: the kernel's semantics and placement. The length is the owner's to keep; a set is flushed before a commit. Needs from below: an
 * array. Kernel counterpart: dm-bitset.c.
 *
 * @module
 */
export { Bitset } from './bitset.ts';
export { BitsetCursor } from './bitset-cursor.ts';
export { type BitsetCheckOptions, checkBitset } from './check.ts';
export { ALL_BITS, BITS_PER_WORD, BITSET_WORD, maskOf, NO_BITS, popcount, wordsFor } from './word.ts';
