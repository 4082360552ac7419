/** What a space map knows of one bitmap block, in core. */
export interface IndexEntry {
  /** Block of the bitmap. */
  blocknr: number;
  /** Free entries, counted from 16320 even in the last, partly used bitmap. */
  nrFree: number;
  /** No entry below this one is free. */
  noneFreeBefore: number;
}

/** Makes an entry to load into. */
export function emptyIndexEntry(): IndexEntry {
  return { blocknr: 0, nrFree: 0, noneFreeBefore: 0 };
}

/** Where a space map keeps its index entries: in one block for metadata, in a tree for data. */
export interface BitmapIndex {
  /** Block of the index block, or root of the index tree. */
  readonly root: number;
  /** Fills in `entry` with that of bitmap `index`. */
  load(index: number, entry: IndexEntry): void;
  /** As {@link load}, and changes nothing, not even which entries are held back. Absent where loading changes nothing either. */
  peek?(index: number, entry: IndexEntry): void;
  /** Takes over `entry` for bitmap `index`. */
  save(index: number, entry: IndexEntry): void;
  /** Adds the entry of a new bitmap, or takes the last one away. */
  append(index: number, entry: IndexEntry): void;
  removeLast(index: number): void;
  /** Brings what was saved to where it is kept on the disk; may allocate. */
  commit(): void;
  /** Bitmap blocks as they are now, for a version of the map that is kept. Valid as long as no block of that version is reused. */
  freeze(nrBitmaps: number): FrozenIndex;
}

/** The bitmap blocks of a kept version. */
export interface FrozenIndex {
  bitmapBlock(index: number): number;
  /**
   * Visits the bitmaps whose blocks differ from those of another version of the same map, O(differences). Absent where all bitmaps are known anyway.
   */
  forEachChanged?(other: FrozenIndex, visit: (index: number) => void): void;
}
