/** Counts since the block manager was made. */
export interface BlockManagerStatistics {
  /** Blocks asked for that were in the cache. */
  readonly hits: number;
  /** Blocks asked for that had to be read. */
  readonly misses: number;
  /** Calls of the device's read, and the blocks they brought. */
  readonly reads: number;
  readonly blocksRead: number;
  /** Calls of the device's write, and the blocks they took. */
  readonly writes: number;
  readonly blocksWritten: number;
  readonly flushes: number;
  /** Blocks in the cache now, and how many of them are dirty. */
  readonly cached: number;
  readonly dirty: number;
}
