import { RawArrayBuilder } from '../array/index.ts';
import type { Root } from '../btree/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';

/** Elements that are handed on together. */
const BATCH = 512;

/** Writes an array of a length that is known before from elements in rising order; those that are left out are zero. */
export class ElementWriter {
  /** Elements that wait to be handed on, in here. */
  readonly words: Uint32Array;
  readonly #array: RawArrayBuilder;
  readonly #length: number;
  readonly #wordsPerElement: number;
  #first = 0;
  #count = 0;

  constructor(tm: TransactionManager, valueSize: 4 | 8, length: number) {
    this.#array = new RawArrayBuilder(tm, valueSize);
    this.#length = length;
    this.#wordsPerElement = valueSize / 4;
    this.words = new Uint32Array(BATCH * this.#wordsPerElement);
  }

  /** Where element `index`, behind all before, goes: its first word, in {@link words}. To be written, all of it, before the next call. */
  at(index: number): number {
    if (index !== this.#first + this.#count || this.#count === BATCH) {
      this.#flush();
      this.#array.fillTo(index);
      this.#first = index;
    }
    return this.#wordsPerElement * this.#count++;
  }

  /** Writes what is left and answers the root. */
  finish(): Root {
    this.#flush();
    this.#array.fillTo(this.#length);
    return this.#array.finish();
  }

  #flush(): void {
    this.#array.add(this.words, 0, this.#count);
    this.#count = 0;
  }
}
