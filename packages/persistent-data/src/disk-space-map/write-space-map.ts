import { BtreeBuilder, PLAIN_U32 } from '../btree/index.ts';
import {
  BITMAP_HEADER,
  BITMAP_VALIDATOR,
  COUNT_OVERFLOW,
  ENTRIES_PER_BITMAP,
  INDEX_ENTRY,
  METADATA_INDEX,
  METADATA_INDEX_VALIDATOR,
  type SpaceMapRoot,
  setBitmapCount,
} from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { IndexEntry } from './bitmap-index.ts';
import { INDEX_ENTRY_TYPE } from './data-index.ts';

/** Final reference counts, to be written down whole. */
export interface FinalCounts {
  readonly nrBlocks: number;
  /** The count of block `b`. */
  count(b: number): number;
  /** The counts from `begin` on, those above 254 as 255. */
  copyBytes(begin: number, target: Uint8Array): void;
}

const ENTRIES_PER_WORD = 16;
const ALL_COUNT_1 = 0xaaaa_aaaa;
const FOUR_OF_1 = 0x0101_0101;
const BITMAP_WORDS = BITMAP_HEADER.size / 4;

/**
 * Writes a data space map for counts that are known already. Blocks are allocated from the transaction manager, in the order of the tools: full
 * leaves of the reference-count tree, bitmaps, the rest of that tree, index tree.
 */
export function writeDataSpaceMap(tm: TransactionManager, counts: FinalCounts): SpaceMapRoot {
  const bitmaps = new BitmapWriter(tm, counts);
  const largeCounts = addLargeCounts(tm, counts);
  const entries: IndexEntry[] = [];
  for (let index = 0; index < bitmaps.nrBitmaps; index++) entries.push(bitmaps.write(index, bitmaps.allocate()));
  const refCountRoot = largeCounts.finish();
  const index = new BtreeBuilder(tm, INDEX_ENTRY_TYPE);
  for (const [key, entry] of entries.entries()) index.add(0, key, entry);
  return { nrBlocks: counts.nrBlocks, nrAllocated: bitmaps.nrAllocated, bitmapRoot: index.finish(), refCountRoot };
}

/**
 * Writes the metadata space map, in the same order, the index block last. All else that needs blocks has been allocated; `counts` go on counting
 * what is allocated here.
 */
export function writeMetadataSpaceMap(tm: TransactionManager, counts: FinalCounts): SpaceMapRoot {
  const { blockManager } = tm;
  const bitmaps = new BitmapWriter(tm, counts);
  const largeCounts = addLargeCounts(tm, counts);
  const blocks = Array.from({ length: bitmaps.nrBitmaps }, () => bitmaps.allocate());
  const refCountRoot = largeCounts.finish();
  const base = tm.newBlock(METADATA_INDEX_VALIDATOR);
  const bitmapRoot = blockManager.blockAt(base);
  tm.unlock(base);
  // Nothing is allocated from here on, so the counts are final.
  const entries = blocks.map((block, index) => bitmaps.write(index, block));
  const again = blockManager.writeLock(bitmapRoot, METADATA_INDEX_VALIDATOR);
  const first = again * 4 + METADATA_INDEX.offset('index');
  for (const [i, entry] of entries.entries()) {
    INDEX_ENTRY_TYPE.write(blockManager.slab, first + i * INDEX_ENTRY.size, entry);
  }
  blockManager.unlock(again);
  return { nrBlocks: counts.nrBlocks, nrAllocated: bitmaps.nrAllocated, bitmapRoot, refCountRoot };
}

/** The tree of the counts of three and more, to be finished. */
function addLargeCounts(tm: TransactionManager, counts: FinalCounts): BtreeBuilder<number> {
  const builder = new BtreeBuilder(tm, PLAIN_U32);
  const bytes = new Uint8Array(ENTRIES_PER_BITMAP);
  for (let begin = 0; begin < counts.nrBlocks; begin += bytes.length) {
    const length = Math.min(bytes.length, counts.nrBlocks - begin);
    counts.copyBytes(begin, bytes.subarray(0, length));
    for (let i = 0; i < length; i++) {
      if (bytes[i]! < COUNT_OVERFLOW) continue;
      const b = begin + i;
      builder.add(Math.floor(b / 2 ** 32), b >>> 0, counts.count(b));
    }
  }
  return builder;
}

class BitmapWriter {
  readonly nrBitmaps: number;
  nrAllocated = 0;
  readonly #tm: TransactionManager;
  readonly #counts: FinalCounts;
  readonly #bytes = new Uint8Array(ENTRIES_PER_BITMAP);
  readonly #words = new Uint32Array(this.#bytes.buffer);

  constructor(tm: TransactionManager, counts: FinalCounts) {
    this.#tm = tm;
    this.#counts = counts;
    this.nrBitmaps = Math.ceil(counts.nrBlocks / ENTRIES_PER_BITMAP);
  }

  /** A block for a bitmap, all zeros. */
  allocate(): number {
    const base = this.#tm.newBlock(BITMAP_VALIDATOR);
    const block = this.#tm.blockManager.blockAt(base);
    this.#tm.unlock(base);
    return block;
  }

  /** Fills bitmap `index`, at `block`, and answers its entry in the index. */
  write(index: number, block: number): IndexEntry {
    const { blockManager } = this.#tm;
    const first = index * ENTRIES_PER_BITMAP;
    const nrEntries = Math.min(ENTRIES_PER_BITMAP, this.#counts.nrBlocks - first);
    this.#counts.copyBytes(first, this.#bytes.subarray(0, nrEntries));
    this.#bytes.fill(0, nrEntries);
    const base = blockManager.writeLock(block, BITMAP_VALIDATOR);
    const nrUsed = this.#fill(blockManager.slab.words, base);
    blockManager.unlock(base);
    this.nrAllocated += nrUsed;
    const firstFree = this.#bytes.indexOf(0);
    return {
      blocknr: block,
      nrFree: ENTRIES_PER_BITMAP - nrUsed,
      noneFreeBefore: firstFree < 0 ? ENTRIES_PER_BITMAP : firstFree,
    };
  }

  /** Sixteen entries at a time where they are alike. Answers how many are not free. */
  #fill(words: Uint32Array, base: number): number {
    const counts = this.#words;
    let nrUsed = 0;
    for (let begin = 0; begin < ENTRIES_PER_BITMAP; begin += ENTRIES_PER_WORD) {
      const at = begin >>> 2;
      const four = counts[at]!;
      if (four === counts[at + 1]! && four === counts[at + 2]! && four === counts[at + 3]!) {
        if (four === 0) continue;
        if (four === FOUR_OF_1) {
          words[base + BITMAP_WORDS + begin / ENTRIES_PER_WORD] = ALL_COUNT_1;
          nrUsed += ENTRIES_PER_WORD;
          continue;
        }
      }
      for (let bit = begin; bit < begin + ENTRIES_PER_WORD; bit++) {
        const count = this.#bytes[bit]!;
        if (count === 0) continue;
        setBitmapCount(words, base, bit, Math.min(count, COUNT_OVERFLOW));
        nrUsed++;
      }
    }
    return nrUsed;
  }
}
