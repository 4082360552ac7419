/** The most that a byte counts; above, a table does. */
const LARGEST = 254;
/** Counts that are raised together lie within 2^17 bytes: they fit into a processor's second cache, whatever size that has. */
const REGION_SHIFT = 17;
const MAX_BINS = 256;
/** Blocks that wait in all bins together. */
const NR_WAITING = 1 << 16;

/**
 * Raises counts of blocks that come in no order. Going to memory for each takes 20 ns, when there are millions; so blocks wait in bins, one for each region
 * of the space, and a full bin is counted at once: 5 ns. Measured by `npm run bench -- tools --only check`.
 */
export class CountBins {
  readonly #counts: Uint8Array;
  readonly #shift: number;
  readonly #capacity: number;
  readonly #waiting: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #addLarge: (block: number) => void;
  #isEmpty = true;

  /** @param addLarge - Counts a block whose byte is full. */
  constructor(counts: Uint8Array, addLarge: (block: number) => void) {
    this.#counts = counts;
    this.#addLarge = addLarge;
    this.#shift = Math.max(REGION_SHIFT, Math.ceil(Math.log2(counts.length / MAX_BINS)));
    const nrBins = Math.ceil(counts.length / 2 ** this.#shift);
    this.#capacity = Math.floor(NR_WAITING / nrBins);
    this.#waiting = new Uint32Array(this.#capacity * nrBins);
    this.#lengths = new Uint32Array(nrBins);
  }

  /**
   * Takes the blocks in the upper 40 bits of u64s, at words `begin..end`.
   * @returns How many of them are outside the space.
   */
  addPacked(words: Uint32Array, begin: number, end: number): number {
    const shift = this.#shift;
    const capacity = this.#capacity;
    const waiting = this.#waiting;
    const lengths = this.#lengths;
    const nrBlocks = this.#counts.length;
    let nrOutside = 0;
    this.#isEmpty = false;
    for (let word = begin; word < end; word += 2) {
      const high = words[word + 1]!;
      const b = (high << 8) | (words[word]! >>> 24);
      // Where bits of `high` are shifted out, `b` says nothing.
      if (high >= 2 ** 23 || b >= nrBlocks) {
        nrOutside++;
        continue;
      }
      const bin = b >>> shift;
      const length = lengths[bin]!;
      waiting[bin * capacity + length] = b;
      if (length + 1 === capacity) this.#count(bin, capacity);
      else lengths[bin] = length + 1;
    }
    return nrOutside;
  }

  /** Takes the first `nr` of some blocks, all in the space. */
  addAll(blocks: Float64Array, nr: number): void {
    const shift = this.#shift;
    const capacity = this.#capacity;
    const waiting = this.#waiting;
    const lengths = this.#lengths;
    this.#isEmpty = false;
    for (let i = 0; i < nr; i++) {
      const b = blocks[i]! | 0;
      const bin = b >>> shift;
      const length = lengths[bin]!;
      waiting[bin * capacity + length] = b;
      if (length + 1 === capacity) this.#count(bin, capacity);
      else lengths[bin] = length + 1;
    }
  }

  /** Counts what waits. To be called before anyone looks at the counts. */
  flush(): void {
    if (this.#isEmpty) return;
    this.#isEmpty = true;
    for (let bin = 0; bin < this.#lengths.length; bin++) this.#count(bin, this.#lengths[bin]!);
  }

  #count(bin: number, length: number): void {
    const counts = this.#counts;
    const waiting = this.#waiting;
    const begin = bin * this.#capacity;
    // Before a block is counted in the table of large counts, which may look at them all.
    this.#lengths[bin] = 0;
    for (let i = begin; i < begin + length; i++) {
      const b = waiting[i]!;
      const count = counts[b]!;
      if (count < LARGEST) counts[b] = count + 1;
      else this.#addLarge(b);
    }
  }
}
