const PAGE_SHIFT = 12;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

/**
 * From block number to slot: a table in pages of 4096 blocks (16 KiB), made when first touched, so that a look-up is two array
 * reads and a huge, sparsely used device costs nothing. Instead of a slot an entry may hold the moment its block was evicted.
 */
export class BlockMap {
  readonly #pages: (Int32Array | undefined)[] = [];

  /** The slot of block `b`, or a negative number. */
  slot(b: number): number {
    const page = this.#pages[b >>> PAGE_SHIFT];
    // Stored one higher, so that a fresh page of zeros says "not here".
    return page === undefined ? -1 : page[b & PAGE_MASK]! - 1;
  }

  set(b: number, slot: number): void {
    const index = b >>> PAGE_SHIFT;
    let page = this.#pages[index];
    if (page === undefined) {
      page = new Int32Array(1 << PAGE_SHIFT);
      this.#pages[index] = page;
    }
    page[b & PAGE_MASK] = slot + 1;
  }

  /** Takes block `b` out and remembers the moment, a count of evictions below 2^30. */
  evict(b: number, moment: number): void {
    this.set(b, -2 - moment);
  }

  /** The moment at which block `b` was evicted, or -1 when it never was. */
  evictedAt(b: number): number {
    const entry = this.slot(b);
    return entry < -1 ? -2 - entry : -1;
  }

  clear(): void {
    this.#pages.length = 0;
  }
}
