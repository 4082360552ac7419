import { PersistentArray } from '../array/index.ts';
import { StateError } from '../base/index.ts';
import type { Root } from '../btree/index.ts';
import type { ArrayBlockView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { ALL_BITS, BITS_PER_WORD, BITSET_WORD, maskOf, NO_BITS, popcount, wordsFor } from './word.ts';

const HALF = 32;

/**
 * A set of bits, in an array of 64-bit words, with one word of it in core: bits of the same word are tested and changed without a look-up.
 *
 * The word in core is written into the array when another one is needed, so *any* use may change the root, a test as well. Call {@link flush}
 * before a commit, before anybody else looks at the array, and to learn the root. What is not flushed is lost.
 *
 * The length is its owner's to keep, and the bits behind it in the last word are anything. Indexes are 0-based. Uses beyond the last
 * word throw a `StateError` and change nothing.
 *
 * @example
 * ```ts
 * const bits = Bitset.create(tm, 1000);
 * bits.set(7);
 * bits.test(8);                // false
 * const root = bits.flush();   // the set's root now
 * ```
 */
export class Bitset {
  readonly array: PersistentArray<bigint>;
  #root: Root;
  /** Index of the word in core, or -1. */
  #index = -1;
  #low = 0;
  #high = 0;
  #dirty = false;

  /** Opens the set with that root. */
  constructor(tm: TransactionManager, root: Root) {
    this.array = new PersistentArray(tm, BITSET_WORD);
    this.#root = root;
  }

  /** Makes a set of `length` bits, asking `bitAt` for each in turn; all clear without it. */
  static create(tm: TransactionManager, length: number, bitAt: (index: number) => boolean = () => false): Bitset {
    const root = new PersistentArray(tm, BITSET_WORD).create(wordsFor(length), (word) => {
      let low = 0;
      let high = 0;
      const begin = word * BITS_PER_WORD;
      const end = Math.min(begin + BITS_PER_WORD, length);
      for (let i = begin; i < end; i++) {
        if (!bitAt(i)) continue;
        if (i - begin < HALF) low |= 1 << (i - begin);
        else high |= 1 << (i - begin - HALF);
      }
      return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    });
    return new Bitset(tm, root);
  }

  /** Whether a change waits for {@link flush}. */
  get isDirty(): boolean {
    return this.#dirty;
  }

  /** Writes the word in core into the array if it was changed, forgets it, and answers the root. */
  flush(): Root {
    const index = this.#index;
    this.#index = -1;
    if (!this.#dirty) return this.#root;
    this.#dirty = false;
    this.#root = this.array.set(this.#root, index, (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0));
    return this.#root;
  }

  /** Whether bit `index` is set. May change the root. */
  test(index: number): boolean {
    const bit = this.#load(index);
    return ((bit < HALF ? this.#low : this.#high) & (1 << bit)) !== 0;
  }

  set(index: number): void {
    const bit = this.#load(index);
    if (bit < HALF) this.#low |= 1 << bit;
    else this.#high |= 1 << bit;
    this.#dirty = true;
  }

  clear(index: number): void {
    const bit = this.#load(index);
    if (bit < HALF) this.#low &= ~(1 << bit);
    else this.#high &= ~(1 << bit);
    this.#dirty = true;
  }

  /** Sets the bits from `begin` up to `end`, not included. Shadows each array block once (32576 bits). */
  setRange(begin: number, end: number): void {
    this.#changeRange(begin, end, true);
  }

  /** Clears the bits from `begin` up to `end`, not included. */
  clearRange(begin: number, end: number): void {
    this.#changeRange(begin, end, false);
  }

  /** The set bits from `begin` up to `end`, not included. Some 5 ns a word. */
  count(begin: number, end: number): number {
    let count = 0;
    this.#forEachHalf(begin, end, (half, mask) => {
      count += popcount((half & mask) >>> 0);
      return true;
    });
    return count;
  }

  /** The first set bit at or behind `from`, below `end`; -1 when there is none. */
  nextSet(from: number, end: number): number {
    return this.#next(from, end, 0);
  }

  /** The first clear bit at or behind `from`, below `end`; -1 when there is none. */
  nextClear(from: number, end: number): number {
    return this.#next(from, end, 0xffff_ffff);
  }

  /**
   * Changes the length. New words are filled with `value`; bits of the old last word that were behind the old end stay what they are, so an
   * owner who cares clears or sets them. Answers the root.
   */
  resize(oldLength: number, newLength: number, value: boolean): Root {
    const root = this.flush();
    this.#root = this.array.resize(root, wordsFor(oldLength), wordsFor(newLength), value ? ALL_BITS : NO_BITS);
    return this.#root;
  }

  /** Gives up the reference to the set. */
  delete(): void {
    this.#index = -1;
    this.#dirty = false;
    this.array.delete(this.#root);
  }

  /** Brings the word of a bit into core and answers the bit's place in it. */
  #load(index: number): number {
    checkIndex(index);
    const word = Math.floor(index / BITS_PER_WORD);
    if (word !== this.#index) {
      this.flush();
      this.#find(index, word);
      this.#index = word;
    }
    return index - word * BITS_PER_WORD;
  }

  #find(index: number, word: number): void {
    const at = this.array.find(this.#root, word);
    if (at < 0) throw beyond(index);
    const { words } = this.array.tm.blockManager.slab;
    this.#low = words[at >>> 2]!;
    this.#high = words[(at >>> 2) + 1]!;
  }

  #changeRange(begin: number, end: number, value: boolean): void {
    checkIndex(begin);
    checkIndex(end);
    if (end <= begin) return;
    this.flush();
    this.#find(end - 1, Math.floor((end - 1) / BITS_PER_WORD));
    const { perBlock } = this.array;
    const bitsPerBlock = perBlock * BITS_PER_WORD;
    for (let from = begin; from < end; ) {
      const block = Math.floor(from / bitsPerBlock);
      const first = block * bitsPerBlock;
      const to = Math.min(end, first + bitsPerBlock);
      this.#root = this.array.changeBlock(this.#root, block, (view) => fill(view, from - first, to - first, value));
      from = to;
    }
  }

  #next(from: number, end: number, flip: number): number {
    let found = -1;
    this.#forEachHalf(from, end, (half, mask, first) => {
      const candidates = ((half ^ flip) & mask) >>> 0;
      if (candidates === 0) return true;
      // The lowest one, alone, and how many bits lie below it.
      found = first + 31 - Math.clz32(candidates & -candidates);
      return false;
    });
    return found;
  }

  /**
   * Calls `visit` with each 32-bit half that holds bits of the range, the mask of those bits, and the index of the half's first bit; until
   * it answers false.
   */
  #forEachHalf(begin: number, end: number, visit: (half: number, mask: number, first: number) => boolean): void {
    checkIndex(begin);
    checkIndex(end);
    if (end <= begin) return;
    this.flush();
    const { words } = this.array.tm.blockManager.slab;
    const bitsPerBlock = this.array.perBlock * BITS_PER_WORD;
    for (let from = begin; from < end; ) {
      const to = Math.min(end, (Math.floor(from / bitsPerBlock) + 1) * bitsPerBlock);
      const word = Math.floor(from / BITS_PER_WORD);
      if (this.array.find(this.#root, Math.floor((to - 1) / BITS_PER_WORD)) < 0) throw beyond(to - 1);
      const at = this.array.find(this.#root, word) >>> 2;
      let first = word * BITS_PER_WORD;
      for (let i = 0; first < to; i++, first += HALF) {
        const mask = maskOf(Math.max(from - first, 0), Math.min(to - first, HALF));
        if (mask !== 0 && !visit(words[at + i]!, mask, first)) return;
      }
      from = to;
    }
  }
}

/** Sets or clears bits of one array block; `begin` and `end` count from its first bit. */
function fill(view: ArrayBlockView, begin: number, end: number, value: boolean): void {
  const { words } = view.slab;
  const at = view.valueAt(0) >>> 2;
  for (let half = Math.floor(begin / HALF); half * HALF < end; half++) {
    const first = half * HALF;
    const mask = maskOf(Math.max(begin - first, 0), Math.min(end - first, HALF));
    if (value) words[at + half]! |= mask;
    else words[at + half]! &= ~mask;
  }
}

function checkIndex(index: number): void {
  if (Number.isSafeInteger(index) && index >= 0) return;
  throw new RangeError(`Cannot use bit ${index}: an integer from 0 to 2^53 - 1 is wanted`);
}

function beyond(index: number): StateError {
  return new StateError(`Cannot use bit ${index}: it is beyond the bitset's end`);
}
