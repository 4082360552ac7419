import { assert } from '../base/index.ts';
import { BtreeBuilder, PLAIN_U64, type Root } from '../btree/index.ts';
import { ARRAY_HEADER, ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

const HEADER_WORDS = ARRAY_HEADER.size / 4;

/**
 * Builds an array of plain elements of whole words (4 or 8 bytes, …) from their words: what an `ArrayBuilder` does from values, without an object for
 * each. One array block and two nodes per level of the tree are in memory; a block is locked between calls while it is partly full.
 *
 * When anything throws, the transaction is broken.
 */
export class RawArrayBuilder {
  readonly #tm: TransactionManager;
  readonly #wordsPerElement: number;
  readonly #valueSize: number;
  readonly #perBlock: number;
  readonly #tree: BtreeBuilder<number>;
  readonly #view: ArrayBlockView;
  /** Elements in the block that is open; -1: none is. */
  #nrOpen = -1;
  #nrBlocks = 0;

  /** @param valueSize - Bytes of an element, a multiple of 4. */
  constructor(tm: TransactionManager, valueSize: number) {
    assert(valueSize % 4 === 0, 'an element is made of whole words');
    this.#tm = tm;
    this.#valueSize = valueSize;
    this.#wordsPerElement = valueSize / 4;
    this.#perBlock = arrayEntriesFor(valueSize);
    this.#tree = new BtreeBuilder(tm, PLAIN_U64);
    this.#view = new ArrayBlockView(tm.blockManager.slab);
  }

  /** Elements added so far. */
  get length(): number {
    return this.#nrBlocks * this.#perBlock + Math.max(0, this.#nrOpen);
  }

  /** Adds `count` elements, the first of which begins at `words[at]`. */
  add(words: Uint32Array, at: number, count: number): void {
    this.#append(count, (word, done, nr) => {
      const from = at + done * this.#wordsPerElement;
      this.#view.words.set(words.subarray(from, from + nr * this.#wordsPerElement), word);
    });
  }

  /** Adds zeros up to so many elements in all. */
  fillTo(length: number): void {
    assert(length >= this.length, 'an array is filled up, not cut');
    // A fresh block is all zeros.
    this.#append(length - this.length, () => undefined);
  }

  /** Writes what is left and answers the root. The builder is used up. */
  finish(): Root {
    this.#close();
    return this.#tree.finish();
  }

  #append(count: number, copy: (word: number, done: number, nr: number) => void): void {
    for (let done = 0; done < count; ) {
      if (this.#nrOpen < 0) this.#open();
      const nr = Math.min(count - done, this.#perBlock - this.#nrOpen);
      copy(this.#view.base + HEADER_WORDS + this.#nrOpen * this.#wordsPerElement, done, nr);
      this.#nrOpen += nr;
      done += nr;
      if (this.#nrOpen === this.#perBlock) this.#close();
    }
  }

  #open(): void {
    this.#view.base = this.#tm.newBlock(ARRAY_VALIDATOR);
    this.#view.setHeader(this.#valueSize);
    this.#nrOpen = 0;
  }

  #close(): void {
    if (this.#nrOpen < 0) return;
    this.#view.nrEntries = this.#nrOpen;
    const block = this.#tm.blockManager.blockAt(this.#view.base);
    this.#tm.unlock(this.#view.base);
    this.#tree.add(Math.floor(this.#nrBlocks / 0x1_0000_0000), this.#nrBlocks >>> 0, block);
    this.#nrBlocks++;
    this.#nrOpen = -1;
  }
}
