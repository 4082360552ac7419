import { joinHalves, TWO_POW_32 } from '../base/index.ts';
import type { BuiltLeaf } from '../btree/index.ts';

const FIRST_CAPACITY = 16;

/** A list of leaves that were built, 24 bytes each: a def may have a million. Keys are below 2^53. */
export class BuiltLeaves implements Iterable<BuiltLeaf> {
  #length = 0;
  #blocks = new Uint32Array(FIRST_CAPACITY);
  #nrEntries = new Uint32Array(FIRST_CAPACITY);
  #first = new Float64Array(FIRST_CAPACITY);
  #last = new Float64Array(FIRST_CAPACITY);

  get length(): number {
    return this.#length;
  }

  /** Entries of all leaves. */
  get nrEntries(): number {
    return this.#nrEntries.subarray(0, this.#length).reduce((sum, nr) => sum + nr, 0);
  }

  add(leaf: BuiltLeaf): void {
    const at = this.#length++;
    if (at === this.#blocks.length) this.#grow();
    this.#blocks[at] = leaf.block;
    this.#nrEntries[at] = leaf.nrEntries;
    this.#first[at] = joinHalves(leaf.firstHigh, leaf.firstLow);
    this.#last[at] = joinHalves(leaf.lastHigh, leaf.lastLow);
  }

  *[Symbol.iterator](): Generator<BuiltLeaf, void> {
    for (let i = 0; i < this.#length; i++) {
      const first = this.#first[i]!;
      const last = this.#last[i]!;
      yield {
        block: this.#blocks[i]!,
        nrEntries: this.#nrEntries[i]!,
        firstHigh: Math.floor(first / TWO_POW_32),
        firstLow: first >>> 0,
        lastHigh: Math.floor(last / TWO_POW_32),
        lastLow: last >>> 0,
      };
    }
  }

  #grow(): void {
    const capacity = 2 * this.#blocks.length;
    const longer = <T extends Uint32Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#blocks = longer(new Uint32Array(capacity), this.#blocks);
    this.#nrEntries = longer(new Uint32Array(capacity), this.#nrEntries);
    this.#first = longer(new Float64Array(capacity), this.#first);
    this.#last = longer(new Float64Array(capacity), this.#last);
  }
}
