import { UnsupportedError } from '../base/index.ts';

const PAGE_BLOCKS = 1 << 16;
/** What all pages may take together: enough for 2^30 data blocks of a pool with few devices. */
const MAX_BYTES = 2 ** 30;

/** A page of marks. */
export type MarkPage = Uint8Array | Uint16Array | Uint32Array;

/**
 * A small number for each data block, in pages made when first touched; 0 where nothing was marked. Marks are as narrow as they can be: what does not
 * fit into the processor's caches makes counting twice as slow (`npm run bench -- tools`).
 */
export class BlockMarks {
  /** By the upper half of a mapping, shifted down by 8. */
  readonly pages: (MarkPage | undefined)[] = [];
  readonly #markBytes: 1 | 2 | 4;
  #nrPages = 0;

  /** @param maxMark - The largest mark that will be set. */
  constructor(maxMark: number) {
    this.#markBytes = maxMark < 0x100 ? 1 : maxMark < 0x1_0000 ? 2 : 4;
  }

  /**
   * The page of the block whose mapping has this upper word, which {@link inPage} completes: a mapping is `block << 24 | time`, in two words.
   * @throws {UnsupportedError} when too many are needed: a hostile image, or a huge pool.
   */
  pageOf(highWord: number): MarkPage {
    return this.pages[highWord >>> 8] ?? this.#makePage(highWord >>> 8);
  }

  #makePage(index: number): MarkPage {
    const bytes = this.#markBytes;
    if ((this.#nrPages + 1) * PAGE_BLOCKS * bytes > MAX_BYTES) {
      throw new UnsupportedError(
        `Cannot count data blocks: more than ${this.#nrPages} ranges of ${PAGE_BLOCKS} are mapped`,
      );
    }
    this.#nrPages++;
    const page = new { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[bytes](PAGE_BLOCKS);
    this.pages[index] = page;
    return page;
  }
}

/** Index in its page of the block of a mapping. */
export function inPage(highWord: number, lowWord: number): number {
  return ((highWord & 0xff) << 8) | (lowWord >>> 24);
}
