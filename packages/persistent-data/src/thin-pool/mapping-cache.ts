/** Where nothing is mapped. */
export const UNMAPPED = -1;

const MAX_EPOCH = 2 ** 31 - 1;

/**
 * Mappings of one volume at hand, so that a request to a known block does not walk the tree: a table with one slot for each remainder of the block
 * number. No entry outlives an epoch; a new one begins when the mappings change otherwise than block by block.
 */
export class MappingCache {
  /** For each slot: byte offset of the data block in the data device, or {@link UNMAPPED}. */
  readonly offsets: Float64Array;
  readonly #blocks: Float64Array;
  /** Epoch of the entry, doubled, and 1 where it may be shared. */
  readonly #stamps: Uint32Array;
  readonly #mask: number;
  #epoch = 1;

  /** @param nrSlots - A power of 2. 20 bytes each. */
  constructor(nrSlots: number) {
    if (!(Number.isInteger(Math.log2(nrSlots)) && nrSlots <= 2 ** 30)) {
      throw new RangeError(`Cannot make a mapping cache of ${nrSlots} slots: a power of 2 is wanted`);
    }
    this.offsets = new Float64Array(nrSlots);
    this.#blocks = new Float64Array(nrSlots);
    this.#stamps = new Uint32Array(nrSlots);
    this.#mask = nrSlots - 1;
  }

  /** The slot of a virtual block, or -1 when its mapping is not known. */
  find(block: number): number {
    const slot = block & this.#mask;
    return this.#blocks[slot] === block && this.#stamps[slot]! >>> 1 === this.#epoch ? slot : -1;
  }

  /** Whether a write to the block in this slot has to go elsewhere. */
  isShared(slot: number): boolean {
    return (this.#stamps[slot]! & 1) === 1;
  }

  /** Notes a mapping. Answers its slot. */
  set(block: number, offset: number, shared: boolean): number {
    const slot = block & this.#mask;
    this.#blocks[slot] = block;
    this.offsets[slot] = offset;
    this.#stamps[slot] = ((this.#epoch << 1) | (shared ? 1 : 0)) >>> 0;
    return slot;
  }

  /** Forgets everything. O(1). */
  clear(): void {
    if (this.#epoch === MAX_EPOCH) {
      this.#epoch = 0;
      this.#stamps.fill(0);
    }
    this.#epoch += 1;
  }
}
