import { BITMAP_VALIDATOR, bitmapUsedMask, ENTRIES_PER_BITMAP } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type BitmapIndex, emptyIndexEntry, type FrozenIndex } from './bitmap-index.ts';

/** A version of a space map that something still relies on: the last commit, one on its way to the disk, or what a reader sees. */
export interface FrozenMap {
  readonly nrBlocks: number;
  readonly nrAllocated: number;
  readonly index: FrozenIndex;
}

const ENTRIES_PER_WORD = 16;
const ALL_USED = 0x5555_5555;

/**
 * The first block of `begin..end` that is free in the current version and in all kept ones; -1 when there is none. A block beyond a kept
 * version's end is free in it.
 *
 * The same block as a search in the current map with a look-up of each find in the old one gives, but 16 entries at a time, so that a
 * long stretch of blocks freed since the commit costs little. Bitmaps without a free entry are skipped unread.
 */
export function findCommonFree(
  tm: TransactionManager,
  index: BitmapIndex,
  kept: readonly FrozenMap[],
  begin: number,
  end: number,
): number {
  const entry = emptyIndexEntry();
  const firstBitmap = Math.floor(begin / ENTRIES_PER_BITMAP);
  for (let bitmap = firstBitmap; bitmap * ENTRIES_PER_BITMAP < end; bitmap++) {
    const first = bitmap * ENTRIES_PER_BITMAP;
    index.load(bitmap, entry);
    if (entry.nrFree === 0) continue;
    const from = Math.max(bitmap === firstBitmap ? begin - first : 0, entry.noneFreeBefore);
    const to = Math.min(ENTRIES_PER_BITMAP, end - first);
    if (from >= to) continue;
    const bases = lockBitmaps(tm, entry.blocknr, kept, bitmap);
    const found = scan(tm.blockManager.slab.words, bases, from, to);
    for (const base of bases) tm.unlock(base);
    if (found >= 0) return first + found;
  }
  return -1;
}

/** How many blocks below `end` are free in the current version and in all kept ones. Reads all bitmaps: 0.2 µs a thousand blocks. */
export function countCommonFree(
  tm: TransactionManager,
  index: BitmapIndex,
  kept: readonly FrozenMap[],
  end: number,
): number {
  const entry = emptyIndexEntry();
  let free = 0;
  for (let bitmap = 0; bitmap * ENTRIES_PER_BITMAP < end; bitmap++) {
    index.load(bitmap, entry);
    if (entry.nrFree === 0) continue;
    const to = Math.min(ENTRIES_PER_BITMAP, end - bitmap * ENTRIES_PER_BITMAP);
    const bases = lockBitmaps(tm, entry.blocknr, kept, bitmap);
    free += to - countUsed(tm.blockManager.slab.words, bases, to);
    for (const base of bases) tm.unlock(base);
  }
  return free;
}

/**
 * Visits the half-open runs of blocks that are in use in `before` and free in `after`, which goes from the one to the other. Bitmaps that both
 * share are not read. A block beyond the end of `after` counts as in use.
 */
export function forEachFreed(
  tm: TransactionManager,
  before: FrozenMap,
  after: FrozenMap,
  visit: (begin: number, end: number) => void,
): void {
  const nrBlocks = Math.min(before.nrBlocks, after.nrBlocks);
  let begin = -1;
  let end = -1;
  const add = (b: number): void => {
    if (b !== end) {
      if (begin >= 0) visit(begin, end);
      begin = b;
    }
    end = b + 1;
  };
  const compare = (bitmap: number): void => {
    if (bitmap * ENTRIES_PER_BITMAP >= nrBlocks) return;
    const old = before.index.bitmapBlock(bitmap);
    const now = after.index.bitmapBlock(bitmap);
    if (old === now) return;
    const first = bitmap * ENTRIES_PER_BITMAP;
    const to = Math.min(ENTRIES_PER_BITMAP, nrBlocks - first);
    const { words } = tm.blockManager.slab;
    const oldBase = tm.readLock(old, BITMAP_VALIDATOR);
    const nowBase = tm.readLock(now, BITMAP_VALIDATOR);
    for (let word = 0; word * ENTRIES_PER_WORD < to; word++) {
      let freed = bitmapUsedMask(words, oldBase, word) & ~bitmapUsedMask(words, nowBase, word) & ALL_USED;
      for (; freed !== 0; freed &= freed - 1) {
        const entry = word * ENTRIES_PER_WORD + ((31 - Math.clz32(freed & -freed)) >>> 1);
        if (entry < to) add(first + entry);
      }
    }
    tm.unlock(oldBase);
    tm.unlock(nowBase);
  };
  if (before.index.forEachChanged) before.index.forEachChanged(after.index, compare);
  else for (let bitmap = 0; bitmap * ENTRIES_PER_BITMAP < nrBlocks; bitmap++) compare(bitmap);
  if (begin >= 0) visit(begin, end);
}

/**
 * The first block of `begin..end` that is in use in the current version or in a kept one; -1 when there is none. Goes by the bitmaps themselves, which have
 * checksums, and not by what the index says of them; changes nothing.
 */
export function findUsed(
  tm: TransactionManager,
  index: BitmapIndex,
  kept: readonly FrozenMap[],
  begin: number,
  end: number,
): number {
  const entry = emptyIndexEntry();
  const firstBitmap = Math.floor(begin / ENTRIES_PER_BITMAP);
  for (let bitmap = firstBitmap; bitmap * ENTRIES_PER_BITMAP < end; bitmap++) {
    const first = bitmap * ENTRIES_PER_BITMAP;
    if (index.peek) index.peek(bitmap, entry);
    else index.load(bitmap, entry);
    const bases = lockBitmaps(tm, entry.blocknr, kept, bitmap);
    const found = scanUsed(tm.blockManager.slab.words, bases, Math.max(begin - first, 0), end - first);
    for (const base of bases) tm.unlock(base);
    if (found >= 0) return first + found;
  }
  return -1;
}

/** Read-locks the current bitmap and those of the kept versions that differ from it. */
function lockBitmaps(tm: TransactionManager, current: number, kept: readonly FrozenMap[], bitmap: number): number[] {
  const blocks = [current];
  for (const map of kept) {
    if (bitmap * ENTRIES_PER_BITMAP >= map.nrBlocks) continue;
    const block = map.index.bitmapBlock(bitmap);
    if (!blocks.includes(block)) blocks.push(block);
  }
  return blocks.map((block) => tm.readLock(block, BITMAP_VALIDATOR));
}

/** The first entry of `from..to` that is free in all bitmaps, or -1. */
function scan(words: Uint32Array, bases: readonly number[], from: number, to: number): number {
  // Entries below `from` in its word count as used.
  let below = ((1 << (2 * (from % ENTRIES_PER_WORD))) - 1) & ALL_USED;
  for (let word = Math.floor(from / ENTRIES_PER_WORD); word * ENTRIES_PER_WORD < to; word++) {
    let used = below;
    below = 0;
    for (const base of bases) used |= bitmapUsedMask(words, base, word);
    if (used === ALL_USED) continue;
    const free = ~used & ALL_USED;
    const entry = word * ENTRIES_PER_WORD + ((31 - Math.clz32(free & -free)) >>> 1);
    return entry < to ? entry : -1;
  }
  return -1;
}

/** The first entry of `from..to` that is in use in any of the bitmaps, or -1. */
function scanUsed(words: Uint32Array, bases: readonly number[], from: number, to: number): number {
  const end = Math.min(to, ENTRIES_PER_BITMAP);
  // Entries below `from` in its word do not count.
  let mask = ALL_USED << (2 * (from % ENTRIES_PER_WORD));
  for (let word = Math.floor(from / ENTRIES_PER_WORD); word * ENTRIES_PER_WORD < end; word++) {
    let used = 0;
    for (const base of bases) used |= bitmapUsedMask(words, base, word);
    used &= mask;
    mask = ALL_USED;
    if (used === 0) continue;
    const entry = word * ENTRIES_PER_WORD + ((31 - Math.clz32(used & -used)) >>> 1);
    return entry < end ? entry : -1;
  }
  return -1;
}

/** How many entries below `to` are in use in any of the bitmaps. */
function countUsed(words: Uint32Array, bases: readonly number[], to: number): number {
  let count = 0;
  for (let word = 0; word * ENTRIES_PER_WORD < to; word++) {
    let used = 0;
    for (const base of bases) used |= bitmapUsedMask(words, base, word);
    const beyond = (word + 1) * ENTRIES_PER_WORD - to;
    if (beyond > 0) used &= ALL_USED >>> (2 * beyond);
    // One bit in two: add up pairs, then fours, then bytes.
    used = (used & 0x3333_3333) + ((used >>> 2) & 0x3333_3333);
    used = (used + (used >>> 4)) & 0x0f0f_0f0f;
    count += Math.imul(used, 0x0101_0101) >>> 24;
  }
  return count;
}
