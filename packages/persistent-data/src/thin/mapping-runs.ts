import type { ThinVisitor } from './visitor.ts';

/**
 * Merges mappings that come one by one, in the order of virtual blocks, into runs: virtual and data blocks both advance by one and
 * the times are equal. O(1) per mapping, no allocation.
 */
export class MappingRuns {
  readonly #visitor: Pick<ThinVisitor, 'map'>;
  #originBegin = 0;
  #dataBegin = 0;
  #length = 0;
  #time = 0;

  constructor(visitor: Pick<ThinVisitor, 'map'>) {
    this.#visitor = visitor;
  }

  /** Takes the next mapping. The run before it goes to the visitor if this one does not lengthen it. */
  add(virtualBlock: number, dataBlock: number, time: number): void {
    const length = this.#length;
    if (
      length > 0 &&
      virtualBlock === this.#originBegin + length &&
      dataBlock === this.#dataBegin + length &&
      time === this.#time
    ) {
      this.#length = length + 1;
      return;
    }
    this.flush();
    this.#originBegin = virtualBlock;
    this.#dataBegin = dataBlock;
    this.#time = time;
    this.#length = 1;
  }

  /** Gives the last run to the visitor: before a ref, and at the end of a def or device. */
  flush(): void {
    const length = this.#length;
    if (length === 0) return;
    this.#length = 0;
    this.#visitor.map(this.#originBegin, this.#dataBegin, length, this.#time);
  }
}
