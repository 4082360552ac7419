const PAGE_SHIFT = 16;
const PAGE_BLOCKS = 1 << PAGE_SHIFT;

/** The counts of three and more, as a reference-count tree has them: 4 bytes a block, in pages made when first touched. */
export class RecordedCounts {
  readonly #pages = new Map<number, Uint32Array>();
  /** Blocks that have an entry. */
  size = 0;

  /** Takes in an entry. Its count is not 0. */
  set(block: number, count: number): void {
    const index = Math.floor(block / PAGE_BLOCKS);
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new Uint32Array(PAGE_BLOCKS);
      this.#pages.set(index, page);
    }
    const at = block - index * PAGE_BLOCKS;
    if (page[at] === 0) this.size++;
    page[at] = count;
  }

  /** The count of a block, or 0 where there is no entry. */
  get(block: number): number {
    const index = Math.floor(block / PAGE_BLOCKS);
    return this.#pages.get(index)?.[block - index * PAGE_BLOCKS] ?? 0;
  }
}
