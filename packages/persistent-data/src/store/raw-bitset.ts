import { BITS_PER_WORD, Bitset } from '../bitset/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { Descriptor } from './catalogue.ts';
import { RawCollection } from './raw-collection.ts';

/** Bytes of a bitset's words. */
export const BITSET_VALUE_SIZE = 8;

/** A bitset of one branch. One word of it may be held back in core, until {@link settle}. */
export class RawBitset extends RawCollection {
  bits: Bitset;
  readonly #tm: TransactionManager;

  constructor(tm: TransactionManager, branchId: number, id: number, descriptor: Descriptor) {
    super(branchId, id, descriptor);
    this.#tm = tm;
    this.bits = new Bitset(tm, this.root);
  }

  override adopt(root: number, like: { readonly count: number; readonly length: number }): void {
    super.adopt(root, like);
    this.bits = new Bitset(this.#tm, root);
  }

  override settle(): void {
    this.root = this.bits.flush();
  }

  setBits(value: boolean, begin: number, end: number): void {
    if (end - begin !== 1) {
      if (value) this.bits.setRange(begin, end);
      else this.bits.clearRange(begin, end);
    } else if (value) {
      this.bits.set(begin);
    } else {
      this.bits.clear(begin);
    }
  }

  /** Blocks that a change of length takes, at most. */
  newBlocks(length: number): number {
    return Math.ceil(Math.max(0, length - this.length) / (this.bits.array.perBlock * BITS_PER_WORD)) + 1;
  }

  /** Blocks by which a change of length makes it longer. */
  grownBlocks(length: number): number {
    const perBlock = this.bits.array.perBlock * BITS_PER_WORD;
    return Math.max(0, Math.ceil(length / perBlock) - Math.ceil(this.length / perBlock));
  }

  resize(length: number, value: boolean): void {
    const old = this.length;
    this.bits.resize(old, length, value);
    this.length = length;
    // The old last word's bits behind the old end are what they were left as.
    const end = Math.min(length, Math.ceil(old / BITS_PER_WORD) * BITS_PER_WORD);
    if (end > old) this.setBits(value, old, end);
    this.settle();
  }
}
