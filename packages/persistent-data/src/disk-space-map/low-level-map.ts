import { assert, CorruptionError } from '../base/index.ts';
import { Btree, PLAIN_U32 } from '../btree/index.ts';
import {
  BITMAP_VALIDATOR,
  bitmapCount,
  COUNT_OVERFLOW,
  ENTRIES_PER_BITMAP,
  type SpaceMapRoot,
  setBitmapCount,
} from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type BitmapIndex, emptyIndexEntry } from './bitmap-index.ts';
import { countCommonFree, type FrozenMap, findCommonFree, findUsed } from './find-free.ts';

const MAX_COUNT = 0xffff_ffff;

/** Changes the count of block `b`, entry `bit` of the locked bitmap at `base`; answers the place of that bitmap, locked. */
type ChangeOne = (b: number, base: number, bit: number, count: number) => number;

/**
 * The engine that both space maps share (`sm_ll`): bitmaps of two-bit counts, a tree of the counts from three on, an index of the bitmaps.
 *
 * Invariant: a block has an entry in the tree if and only if its bitmap field is 3, and its count is then at least 3.
 *
 * For a metadata map each change may come back here, through the transaction manager, for other blocks; the map above queues those. What
 * is looked up from within goes by the index entry as it was before the change: an entry is saved when its bitmap is done.
 */
export class LowLevelMap {
  nrBlocks = 0;
  /** Blocks with a count other than 0. */
  nrAllocated = 0;
  refCountRoot = 0;
  readonly index: BitmapIndex;
  readonly #tm: TransactionManager;
  readonly #counts: Btree<number>;
  readonly #entry = emptyIndexEntry();
  readonly #looked = emptyIndexEntry();

  constructor(tm: TransactionManager, index: BitmapIndex) {
    this.#tm = tm;
    this.index = index;
    this.#counts = new Btree(tm, { valueType: PLAIN_U32 });
  }

  /** Makes the empty tree of large counts. */
  create(): void {
    this.refCountRoot = this.#counts.empty();
  }

  open(root: SpaceMapRoot): void {
    this.nrBlocks = root.nrBlocks;
    this.nrAllocated = root.nrAllocated;
    this.refCountRoot = root.refCountRoot;
  }

  get root(): SpaceMapRoot {
    return {
      nrBlocks: this.nrBlocks,
      nrAllocated: this.nrAllocated,
      bitmapRoot: this.index.root,
      refCountRoot: this.refCountRoot,
    };
  }

  get nrBitmaps(): number {
    return Math.ceil(this.nrBlocks / ENTRIES_PER_BITMAP);
  }

  /** The count of block `b`: 0 to 2, or {@link COUNT_OVERFLOW} for three or more. */
  countField(b: number): number {
    this.#refuseOutside(b);
    const index = Math.floor(b / ENTRIES_PER_BITMAP);
    this.index.load(index, this.#looked);
    const base = this.#tm.read(this.#looked.blocknr, BITMAP_VALIDATOR);
    return bitmapCount(this.#tm.blockManager.slab.words, base, b - index * ENTRIES_PER_BITMAP);
  }

  /** The count of block `b`. */
  count(b: number): number {
    const field = this.countField(b);
    return field === COUNT_OVERFLOW ? this.#largeCount(b) : field;
  }

  /** Adds one to each count of the half-open range. Answers by how much the number of allocated blocks rose. */
  incRange(begin: number, end: number): number {
    return this.#change(begin, end, (b, base, bit, count) => this.#inc(b, base, bit, count));
  }

  /** Takes one from each count of the half-open range. Answers by how much the number of allocated blocks rose: 0 or less. */
  decRange(begin: number, end: number): number {
    return this.#change(begin, end, (b, base, bit, count) => this.#dec(b, base, bit, count));
  }

  /** Sets one count. Answers by how much the number of allocated blocks rose. */
  setCount(b: number, wanted: number): number {
    if (!(Number.isInteger(wanted) && wanted >= 0 && wanted <= MAX_COUNT)) {
      throw new RangeError(`Cannot set the count of block ${b} to ${wanted}: 0 to ${MAX_COUNT} is possible`);
    }
    return this.#change(b, b + 1, (_, base, bit, count) => this.#set(b, base, bit, count, wanted));
  }

  /** The first block from `begin` on that is free here and in all kept versions; -1 when there is none. */
  findCommonFree(kept: readonly FrozenMap[], begin: number): number {
    return findCommonFree(this.#tm, this.index, kept, begin, this.nrBlocks);
  }

  /** How many blocks are free here and in all kept versions. */
  countCommonFree(kept: readonly FrozenMap[]): number {
    return countCommonFree(this.#tm, this.index, kept, this.nrBlocks);
  }

  /** The first block from `begin` on, and below `end`, that is in use here or in a kept version; -1 when there is none. */
  findUsed(kept: readonly FrozenMap[], begin: number, end = this.nrBlocks): number {
    return findUsed(this.#tm, this.index, kept, begin, end);
  }

  /** Adds free blocks, and bitmaps for them where needed. A partly used last bitmap needs nothing: it was counted as whole. */
  extend(extra: number): void {
    const old = this.nrBitmaps;
    this.nrBlocks += extra;
    for (let index = old; index < this.nrBitmaps; index++) {
      const base = this.#tm.newBlock(BITMAP_VALIDATOR);
      const blocknr = this.#tm.blockManager.blockAt(base);
      this.#tm.unlock(base);
      this.index.append(index, { blocknr, nrFree: ENTRIES_PER_BITMAP, noneFreeBefore: 0 });
    }
  }

  /** Takes blocks away from the end; the caller has made sure that they are free. Bitmaps that describe nothing any more are freed. */
  shrink(nrBlocks: number): void {
    const old = this.nrBitmaps;
    assert(nrBlocks <= this.nrBlocks, 'a map shrinks');
    this.nrBlocks = nrBlocks;
    for (let index = old - 1; index >= this.nrBitmaps; index--) {
      this.index.load(index, this.#looked);
      const { blocknr } = this.#looked;
      this.index.removeLast(index);
      this.#tm.dec(blocknr);
    }
  }

  /** The state as it is now, to find blocks later that were free in it. */
  freeze(): FrozenMap {
    return { nrBlocks: this.nrBlocks, nrAllocated: this.nrAllocated, index: this.index.freeze(this.nrBitmaps) };
  }

  /** Changes counts, bitmap by bitmap. `changeOne` gets a locked bitmap and answers the place of the same one, locked. */
  #change(begin: number, end: number, changeOne: ChangeOne): number {
    if (begin >= end) return 0;
    this.#refuseOutside(begin);
    this.#refuseOutside(end - 1);
    try {
      return this.#changeBitmaps(begin, end, changeOne);
    } catch (error) {
      // Counts are half changed, and a bitmap is locked.
      this.#tm.markBroken(error);
      throw error;
    }
  }

  #changeBitmaps(begin: number, end: number, changeOne: ChangeOne): number {
    const tm = this.#tm;
    const { words } = tm.blockManager.slab;
    const entry = this.#entry;
    const before = this.nrAllocated;
    for (let b = begin; b < end; ) {
      const index = Math.floor(b / ENTRIES_PER_BITMAP);
      const first = index * ENTRIES_PER_BITMAP;
      this.index.load(index, entry);
      let base = tm.shadow(entry.blocknr, BITMAP_VALIDATOR);
      entry.blocknr = tm.blockManager.blockAt(base);
      for (; b < end && b - first < ENTRIES_PER_BITMAP; b++) {
        base = changeOne(b, base, b - first, bitmapCount(words, base, b - first));
      }
      tm.unlock(base);
      this.index.save(index, entry);
    }
    return this.nrAllocated - before;
  }

  #inc(b: number, base: number, bit: number, count: number): number {
    const { words } = this.#tm.blockManager.slab;
    switch (count) {
      case 0:
        this.#allocated(bit);
        setBitmapCount(words, base, bit, 1);
        return base;
      case 1:
        setBitmapCount(words, base, bit, 2);
        return base;
      case 2:
        setBitmapCount(words, base, bit, COUNT_OVERFLOW);
        return this.#unlocked(base, () => {
          this.refCountRoot = this.#counts.insert(this.refCountRoot, b, 3);
        });
      default:
        return this.#unlocked(base, () => this.#addToLarge(b, 1));
    }
  }

  #dec(b: number, base: number, bit: number, count: number): number {
    const { words } = this.#tm.blockManager.slab;
    switch (count) {
      case 0:
        throw new CorruptionError(`Cannot decrement the count of block ${b}: it is 0`, {
          block: b,
          field: 'count',
          found: 0,
        });
      case 1:
        this.#freed(bit);
        setBitmapCount(words, base, bit, 0);
        return base;
      case 2:
        setBitmapCount(words, base, bit, 1);
        return base;
      default: {
        let left = 0;
        const again = this.#unlocked(base, () => {
          left = this.#addToLarge(b, -1);
          if (left === 2) this.refCountRoot = this.#counts.remove(this.refCountRoot, b);
        });
        if (left === 2) setBitmapCount(words, again, bit, 2);
        return again;
      }
    }
  }

  #set(b: number, base: number, bit: number, count: number, wanted: number): number {
    const { words } = this.#tm.blockManager.slab;
    if (count === 0 && wanted > 0) this.#allocated(bit);
    if (count > 0 && wanted === 0) this.#freed(bit);
    setBitmapCount(words, base, bit, Math.min(wanted, COUNT_OVERFLOW));
    if (wanted < COUNT_OVERFLOW && count < COUNT_OVERFLOW) return base;
    return this.#unlocked(base, () => {
      this.refCountRoot =
        wanted < COUNT_OVERFLOW
          ? this.#counts.remove(this.refCountRoot, b)
          : this.#counts.insert(this.refCountRoot, b, wanted);
    });
  }

  #allocated(bit: number): void {
    const entry = this.#entry;
    this.nrAllocated++;
    // A wrong figure on the disk must not wrap around; nobody but the search relies on it.
    entry.nrFree = Math.max(0, entry.nrFree - 1);
    if (entry.noneFreeBefore === bit) entry.noneFreeBefore = bit + 1;
  }

  #freed(bit: number): void {
    const entry = this.#entry;
    this.nrAllocated--;
    entry.nrFree++;
    entry.noneFreeBefore = Math.min(entry.noneFreeBefore, bit);
  }

  /**
   * Does something to the tree of large counts with the bitmap unlocked: for a metadata map it may allocate, and so look into this very
   * bitmap. The bitmap is a shadow already and does not move.
   */
  #unlocked(base: number, work: () => void): number {
    this.#tm.unlock(base);
    work();
    return this.#tm.blockManager.writeLock(this.#entry.blocknr, BITMAP_VALIDATOR);
  }

  /** Adds 1 or -1 to a count of three or more, and answers it. A count that becomes 2 is not stored: the entry is about to go. */
  #addToLarge(b: number, delta: 1 | -1): number {
    let count = 0;
    const { words } = this.#tm.blockManager.slab;
    const root = this.#counts.overwrite(this.refCountRoot, b, (at) => {
      count = words[at >>> 2]! + delta;
      if (count < 2 || count > MAX_COUNT) throw this.#badLargeCount(b, words[at >>> 2]!);
      if (count > 2) words[at >>> 2] = count;
    });
    if (root === undefined) throw this.#badLargeCount(b, undefined);
    this.refCountRoot = root;
    return count;
  }

  #largeCount(b: number): number {
    const count = this.#counts.lookup(this.refCountRoot, b);
    if (count === undefined) throw this.#badLargeCount(b, count);
    return count;
  }

  #badLargeCount(b: number, found: number | undefined): CorruptionError {
    const shown = found === undefined ? 'missing' : String(found);
    return new CorruptionError(
      `Cannot count block ${b}: its entry in the reference-count tree is ${shown}, 3 or more is wanted`,
      {
        block: b,
        field: 'ref_count',
        found: shown,
      },
    );
  }

  #refuseOutside(b: number): void {
    if (b >= 0 && b < this.nrBlocks) return;
    const message = `Cannot count block ${b}: the space has ${this.nrBlocks} blocks`;
    throw new CorruptionError(message, { block: b, field: 'blocknr', found: b, expected: `below ${this.nrBlocks}` });
  }
}
