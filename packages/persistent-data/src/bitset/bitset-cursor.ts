import { ArrayCursor, PersistentArray } from '../array/index.ts';
import { StateError } from '../base/index.ts';
import type { CursorOptions, Root } from '../btree/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { BITS_PER_WORD, BITSET_WORD } from './word.ts';

/**
 * A place in a bitset, which moves forward by one or by many bits. It reads the array: flush the set before. It holds no lock, and
 * is a `StateError` to use after a change, unless it is `frozen`.
 */
export class BitsetCursor {
  /** Index of the current bit, or -1. */
  index = -1;
  readonly #length: number;
  readonly #words: ArrayCursor<bigint>;
  #low = 0;
  #high = 0;

  /** @param length - Bits in the set: what lies beyond is not visited. */
  constructor(tm: TransactionManager, root: Root, length: number, options: CursorOptions = {}) {
    this.#length = length;
    this.#words = new ArrayCursor(new PersistentArray(tm, BITSET_WORD), root, options);
  }

  /** Whether the cursor is at a bit. */
  get valid(): boolean {
    return this.index >= 0;
  }

  /** The current bit. @throws {StateError} when the cursor is at none. */
  get value(): boolean {
    if (this.index < 0) throw new StateError('Cannot read a bit: the cursor is at none, seek first');
    const bit = this.index % BITS_PER_WORD;
    return ((bit < 32 ? this.#low : this.#high) & (1 << bit)) !== 0;
  }

  /** Moves to the bit of that index. False, and the cursor is at none, beyond the end. */
  seek(index: number): boolean {
    this.index = -1;
    if (!(index < this.#length) || !this.#words.seek(Math.floor(index / BITS_PER_WORD))) return false;
    this.#load(index);
    return true;
  }

  /** Moves to the next bit. False at the end: then the cursor is at none. */
  next(): boolean {
    return this.skip(1);
  }

  /** Moves on by `count` bits. O(1) within an array block. */
  skip(count: number): boolean {
    const index = this.index + count;
    if (this.index < 0) return false;
    const words = Math.floor(index / BITS_PER_WORD) - Math.floor(this.index / BITS_PER_WORD);
    this.index = -1;
    if (index >= this.#length || (words !== 0 && !this.#words.skip(words))) return false;
    if (words === 0) this.index = index;
    else this.#load(index);
    return true;
  }

  #load(index: number): void {
    const { valueAt, slab } = this.#words;
    this.#low = slab.words[valueAt >>> 2]!;
    this.#high = slab.words[(valueAt >>> 2) + 1]!;
    this.index = index;
  }
}
