/** A set of blocks in core: a bit each, in memory that the system gives as it is touched. */
export class MarkedBlocks {
  readonly nrBlocks: number;
  readonly #bytes: Uint8Array;

  constructor(nrBlocks: number) {
    this.nrBlocks = nrBlocks;
    this.#bytes = new Uint8Array(Math.ceil(nrBlocks / 8));
  }

  has(block: number): boolean {
    return block < this.nrBlocks && (this.#bytes[block >>> 3]! & (1 << (block & 7))) !== 0;
  }

  add(block: number): void {
    this.#bytes[block >>> 3]! |= 1 << (block & 7);
  }
}
