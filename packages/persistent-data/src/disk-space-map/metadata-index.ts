import { CorruptionError, Slab } from '../base/index.ts';
import {
  INDEX_ENTRY,
  MAX_METADATA_BITMAPS,
  METADATA_BLOCK_SIZE,
  METADATA_INDEX,
  METADATA_INDEX_VALIDATOR,
  WORDS_PER_BLOCK,
} from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { BitmapIndex, FrozenIndex, IndexEntry } from './bitmap-index.ts';

const ENTRIES = METADATA_INDEX.word('index');
const ENTRY_WORDS = INDEX_ENTRY.size / 4;

/** The index of a metadata space map: one block of 255 entries, kept in core whole. */
export class MetadataIndex implements BitmapIndex {
  root = 0;
  readonly #tm: TransactionManager;
  readonly #block = Slab.ofSize(METADATA_BLOCK_SIZE);
  #changed = false;

  constructor(tm: TransactionManager) {
    this.#tm = tm;
  }

  /** Allocates the index block of a new map. */
  create(): void {
    const base = this.#tm.newBlock(METADATA_INDEX_VALIDATOR);
    this.root = this.#tm.blockManager.blockAt(base);
    this.#tm.unlock(base);
    this.#changed = true;
  }

  /** Reads the index block of an existing map. */
  open(root: number): void {
    const base = this.#tm.read(root, METADATA_INDEX_VALIDATOR);
    this.#block.words.set(this.#tm.blockManager.slab.words.subarray(base, base + WORDS_PER_BLOCK));
    this.root = root;
    this.#changed = false;
  }

  load(index: number, entry: IndexEntry): void {
    const { words } = this.#block;
    const word = ENTRIES + index * ENTRY_WORDS;
    entry.blocknr = words[word + 1]! * 0x1_0000_0000 + words[word]!;
    entry.nrFree = words[word + 2]!;
    entry.noneFreeBefore = words[word + 3]!;
    if (entry.blocknr === 0) {
      const message = `Cannot read metadata_index block ${this.root}: entry ${index} has no bitmap block`;
      throw new CorruptionError(message, { block: this.root, kind: 'metadata_index', field: 'blocknr', found: 0 });
    }
  }

  save(index: number, entry: IndexEntry): void {
    const { words } = this.#block;
    const word = ENTRIES + index * ENTRY_WORDS;
    words[word] = entry.blocknr >>> 0;
    words[word + 1] = entry.blocknr / 0x1_0000_0000;
    words[word + 2] = entry.nrFree;
    words[word + 3] = entry.noneFreeBefore;
    this.#changed = true;
  }

  append(index: number, entry: IndexEntry): void {
    if (index >= MAX_METADATA_BITMAPS)
      throw new RangeError(`Cannot extend the space map beyond ${MAX_METADATA_BITMAPS} bitmaps`);
    this.save(index, entry);
  }

  removeLast(index: number): void {
    const word = ENTRIES + index * ENTRY_WORDS;
    this.#block.words.fill(0, word, word + ENTRY_WORDS);
    this.#changed = true;
  }

  commit(): void {
    if (!this.#changed) return;
    const base = this.#tm.shadow(this.root, METADATA_INDEX_VALIDATOR);
    // Only now: shadowing has allocated one block and freed another, which changed entries.
    this.#tm.blockManager.slab.words.set(this.#block.words, base);
    this.root = this.#tm.blockManager.blockAt(base);
    this.#tm.unlock(base);
    this.#changed = false;
  }

  freeze(nrBitmaps: number): FrozenIndex {
    const { words } = this.#block;
    const blocks = Float64Array.from({ length: nrBitmaps }, (_, index) => {
      const word = ENTRIES + index * ENTRY_WORDS;
      return words[word + 1]! * 0x1_0000_0000 + words[word]!;
    });
    return { bitmapBlock: (index) => blocks[index]! };
  }
}
