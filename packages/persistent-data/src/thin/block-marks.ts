import { UnsupportedError } from '../base/index.ts';

const PAGE_BLOCKS = 1 << 16;
/** Pages of marks that are made at the most: 1 GiB, for 2^28 data blocks that are mapped close to each other. */
const MAX_PAGES = 4096;

/** A mark of 32 bits for each data block, in pages made when first touched; 0 where nothing was marked. */
export class BlockMarks {
  readonly #pages: (Uint32Array | undefined)[] = [];
  #nrPages = 0;

  /**
   * The page of the block whose mapping has this upper word, which {@link inPage} completes: a mapping is `block << 24 | time`, in two words.
   * @throws {UnsupportedError} when too many are needed: a hostile image, or one of more than 2^28 data blocks.
   */
  pageOf(highWord: number): Uint32Array {
    const index = highWord >>> 8;
    return this.#pages[index] ?? this.#makePage(index);
  }

  #makePage(index: number): Uint32Array {
    if (this.#nrPages === MAX_PAGES) {
      throw new UnsupportedError(
        `Cannot count data blocks: more than ${MAX_PAGES} ranges of ${PAGE_BLOCKS} are mapped`,
      );
    }
    this.#nrPages++;
    const page = new Uint32Array(PAGE_BLOCKS);
    this.#pages[index] = page;
    return page;
  }
}

/** Index in its page of the block of a mapping. */
export function inPage(highWord: number, lowWord: number): number {
  return ((highWord & 0xff) << 8) | (lowWord >>> 24);
}
