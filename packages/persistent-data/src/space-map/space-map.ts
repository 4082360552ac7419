/**
 * A reference count for each block of a space, and the allocator of that space.
 *
 * Two versions of the counts exist at any time: the *committed* one and the *current* one. A block is handed out only if it is
 * free in both, so that a crash finds everything that the last commit refers to where it was.
 */
export interface SpaceMap {
  /** Blocks in the space. */
  readonly nrBlocks: number;

  /** Blocks that may be counted on for allocation; see the implementation for what a block freed since the last commit counts. */
  readonly nrFree: number;

  /** The current reference count of block `b`. @throws {CorruptionError} when `b` is not in the space. */
  getCount(b: number): number;

  /** Whether the count of `b` is above one. May answer true too often while counts are changing, never false wrongly. */
  countIsMoreThanOne(b: number): boolean;

  /** Sets the count of `b`. Not for use while the map changes itself. */
  setCount(b: number, count: number): void;

  /** Adds one to the count of each block of the half-open range. */
  incRange(begin: number, end: number): void;

  /**
   * Takes one from the count of each block of the half-open range.
   * @throws {CorruptionError} when a count is 0 already. The transaction has to be rolled back then.
   */
  decRange(begin: number, end: number): void;

  /**
   * Allocates one block: count 1, content undefined.
   * @throws {NoSpaceError} when no block is free in both the committed and the current version.
   */
  newBlock(): number;

  /** Adds `extra` free blocks at the end of the space. */
  extend(extra: number): void;

  /** Makes the current version the committed one. Metadata of the map is in the cache afterwards, not on the disk. */
  commit(): void;
}
