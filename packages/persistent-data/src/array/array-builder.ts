import { assert } from '../base/index.ts';
import { BtreeBuilder, PLAIN_U64, type Root, type ValueType } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

/**
 * Builds an array from its elements in order: a bulk load, with one array block and two nodes per level of the tree in memory at a time. Holds
 * no lock between calls. When anything throws but what the value type refuses, the transaction is broken.
 */
export class ArrayBuilder<V> {
  readonly #tm: TransactionManager;
  readonly #valueType: ValueType<V>;
  readonly #tree: BtreeBuilder<number>;
  readonly #perBlock: number;
  #pending: V[] = [];
  #nrBlocks = 0;

  constructor(tm: TransactionManager, valueType: ValueType<V>) {
    this.#tm = tm;
    this.#valueType = valueType;
    this.#tree = new BtreeBuilder(tm, PLAIN_U64);
    this.#perBlock = arrayEntriesFor(valueType.size);
  }

  /** Elements added so far. */
  get length(): number {
    return this.#nrBlocks * this.#perBlock + this.#pending.length;
  }

  /** Adds an element. The references that the value stands for pass to the array. */
  add(value: V): void {
    this.#pending.push(value);
    if (this.#pending.length === this.#perBlock) this.#write();
  }

  /** Writes what is left and answers the root. The builder is used up. */
  finish(): Root {
    if (this.#pending.length > 0) this.#write();
    return this.#tree.finish();
  }

  #write(): void {
    const { size } = this.#valueType;
    const pending = this.#pending;
    assert(pending.length <= this.#perBlock, 'no more elements wait than a block holds');
    const base = this.#tm.newBlock(ARRAY_VALIDATOR);
    try {
      const view = new ArrayBlockView(this.#tm.blockManager.slab, base);
      view.setHeader(size);
      const at = view.valueAt(0);
      for (const [i, value] of pending.entries()) this.#valueType.write(view.slab, at + i * size, value);
      view.nrEntries = pending.length;
    } catch (error) {
      this.#tm.markBroken(error);
      throw error;
    } finally {
      this.#tm.unlock(base);
    }
    const block = this.#tm.blockManager.blockAt(base);
    this.#pending = [];
    this.#tree.add(Math.floor(this.#nrBlocks / 0x1_0000_0000), this.#nrBlocks >>> 0, block);
    this.#nrBlocks++;
  }
}
