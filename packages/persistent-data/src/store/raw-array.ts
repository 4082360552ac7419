import { PersistentArray } from '../array/index.ts';
import { CorruptionError, Slab } from '../base/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { Descriptor } from './catalogue.ts';
import { RawCollection } from './raw-collection.ts';
import { opaqueType } from './raw-tree.ts';

/** An array of one branch, without its codec. The value of an operation is in {@link scratch}. */
export class RawArray extends RawCollection {
  readonly tm: TransactionManager;
  readonly array: PersistentArray<Uint8Array>;
  /** Holds one value, filled up to whole words. */
  readonly scratch: Slab;
  readonly #value: Uint8Array;

  constructor(tm: TransactionManager, branchId: number, id: number, descriptor: Descriptor) {
    super(branchId, id, descriptor);
    this.tm = tm;
    this.array = new PersistentArray(tm, opaqueType(this.valueSize));
    this.scratch = Slab.ofSize((this.valueSize + 3) & ~3);
    this.#value = this.scratch.bytes.subarray(0, this.valueSize);
  }

  get slab(): Slab {
    return this.tm.blockManager.slab;
  }

  /** Byte offset of an element in the slab, valid until the next call of the block manager; -1 beyond the end. */
  find(index: number): number {
    if (index >= this.length) return -1;
    const at = this.array.find(this.root, index);
    if (at >= 0) return at;
    const message = `Cannot read element ${index} of the array at block ${this.root}: its blocks end before its length, ${this.length}`;
    throw new CorruptionError(message, { block: this.root, field: 'length', found: this.length });
  }

  /** Puts the scratch value at an index below the length. */
  put(index: number): void {
    this.root = this.array.set(this.root, index, this.#value);
  }

  /** Blocks that a change of length takes, at most. */
  newBlocks(length: number): number {
    return Math.ceil(Math.max(0, length - this.length) / this.array.perBlock) + 1;
  }

  /** Blocks by which a change of length makes it longer. */
  grownBlocks(length: number): number {
    const { perBlock } = this.array;
    return Math.max(0, Math.ceil(length / perBlock) - Math.ceil(this.length / perBlock));
  }

  /** New elements become copies of the scratch value. */
  resize(length: number): void {
    this.root = this.array.resize(this.root, this.length, length, this.#value);
    this.length = length;
  }
}
