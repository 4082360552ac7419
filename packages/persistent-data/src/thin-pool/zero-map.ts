/** The most blocks that are kept track of: 32 MiB of bits. Of blocks beyond nothing is known. */
const MAX_BLOCKS = 2 ** 28;

/**
 * Data blocks that are known to read as zeros: they were added to the device and never given out, or punched. What is known holds for this opening
 * only, as a block that was given out by a transaction that a crash undid is free and not empty. One bit a block.
 */
export class ZeroMap {
  #bits = new Uint32Array(0);

  /** Whether the block is all zeros for sure. */
  has(block: number): boolean {
    return block < this.#bits.length * 32 && ((this.#bits[block >>> 5]! >>> (block & 31)) & 1) === 1;
  }

  /** The half-open run holds nothing but zeros. */
  add(begin: number, end: number): void {
    const to = Math.min(end, MAX_BLOCKS);
    if (to <= begin) return;
    this.#growTo(to);
    for (let block = begin; block < to; ) {
      if ((block & 31) === 0 && to - block >= 32) {
        this.#bits[block >>> 5] = 0xffff_ffff;
        block += 32;
      } else {
        this.#bits[block >>> 5]! |= 1 << (block & 31);
        block += 1;
      }
    }
  }

  /** The block is given out. */
  delete(block: number): void {
    if (block < this.#bits.length * 32) this.#bits[block >>> 5]! &= ~(1 << (block & 31));
  }

  #growTo(nrBlocks: number): void {
    const nrWords = Math.ceil(nrBlocks / 32);
    if (nrWords <= this.#bits.length) return;
    const bits = new Uint32Array(nrWords);
    bits.set(this.#bits);
    this.#bits = bits;
  }
}
