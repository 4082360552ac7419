import { CorruptionError, NoSpaceError } from '../base/index.ts';
import type { SpaceMapRoot } from '../format/index.ts';
import type { SpaceMap } from '../space-map/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { DataIndex } from './data-index.ts';
import { type FrozenMap, forEachFreed } from './find-free.ts';
import { type KeptVersion, KeptVersions } from './kept-versions.ts';
import { LowLevelMap } from './low-level-map.ts';

/**
 * The space map of another device's blocks (`sm_disk`): bitmaps, index tree and count tree are metadata blocks of the transaction
 * manager's device. A block freed since the last commit counts as free, but is not handed out before the next one: {@link newBlock} may
 * fail while {@link nrFree} is above 0; then commit and try again.
 */
export class DataSpaceMap implements SpaceMap {
  readonly #tm: TransactionManager;
  readonly #map: LowLevelMap;
  readonly #index: DataIndex;
  readonly #kept: KeptVersions;
  #committed: FrozenMap;
  #begin = 0;
  /** Net: blocks that became allocated since the last commit, less those that became free. */
  #allocatedSinceCommit = 0;

  private constructor(tm: TransactionManager, kept: KeptVersions) {
    this.#tm = tm;
    this.#index = new DataIndex(tm);
    this.#map = new LowLevelMap(tm, this.#index);
    this.#kept = kept;
    this.#committed = this.#map.freeze();
  }

  /** Makes a map of `nrBlocks` free blocks. */
  static create(tm: TransactionManager, nrBlocks: number, kept = new KeptVersions()): DataSpaceMap {
    const map = new DataSpaceMap(tm, kept);
    map.#index.create();
    map.#map.create();
    map.#map.extend(nrBlocks);
    map.commit();
    return map;
  }

  /** Opens the map with this root, as a superblock holds it. */
  static open(tm: TransactionManager, root: SpaceMapRoot, kept = new KeptVersions()): DataSpaceMap {
    if (!Number.isSafeInteger(root.nrBlocks) || root.nrAllocated > root.nrBlocks) {
      const message = `Cannot open data space map: ${root.nrAllocated} of ${root.nrBlocks} blocks are allocated`;
      throw new CorruptionError(message, {
        field: 'nrAllocated',
        found: root.nrAllocated,
        expected: `at most ${root.nrBlocks}`,
      });
    }
    const map = new DataSpaceMap(tm, kept);
    map.#index.open(root.bitmapRoot);
    map.#map.open(root);
    map.#committed = map.#map.freeze();
    return map;
  }

  /** The root to put into a superblock, after {@link commit}. */
  get root(): SpaceMapRoot {
    return this.#map.root;
  }

  /** The committed size: an extension counts after the commit. */
  get nrBlocks(): number {
    return this.#committed.nrBlocks;
  }

  /** The size with extensions that are not committed yet. */
  get nrBlocksUncommitted(): number {
    return this.#map.nrBlocks;
  }

  /** Includes blocks freed since the last commit, which can't be had before the next. */
  get nrFree(): number {
    return this.#committed.nrBlocks - this.#committed.nrAllocated - this.#allocatedSinceCommit;
  }

  getCount(b: number): number {
    return this.#map.count(b);
  }

  countIsMoreThanOne(b: number): boolean {
    return this.#map.countField(b) > 1;
  }

  setCount(b: number, count: number): void {
    this.#allocatedSinceCommit += this.#map.setCount(b, count);
  }

  incRange(begin: number, end: number): void {
    this.#allocatedSinceCommit += this.#map.incRange(begin, end);
  }

  decRange(begin: number, end: number): void {
    this.#allocatedSinceCommit += this.#map.decRange(begin, end);
  }

  newBlock(): number {
    const kept = this.#kept.with(this.#committed);
    let b = this.#map.findCommonFree(kept, this.#begin);
    if (b < 0) b = this.#map.findCommonFree(kept, 0);
    if (b < 0) {
      throw new NoSpaceError(
        `Cannot allocate a data block: none of ${this.#map.nrBlocks} is free, ${this.nrFree} will be after a commit`,
        'data',
      );
    }
    this.#begin = b + 1;
    this.#allocatedSinceCommit += this.#map.incRange(b, b + 1);
    return b;
  }

  /** Where the run of blocks that could be handed out now ends that begins at `begin`; at most `limit`. Changes nothing. */
  freeRunEnd(begin: number, limit: number): number {
    const end = Math.min(limit, this.nrBlocks);
    if (begin >= end) return begin;
    const used = this.#map.findUsed(this.#kept.with(this.#committed), begin, end);
    return used < 0 ? end : used;
  }

  extend(extra: number): void {
    this.#map.extend(extra);
  }

  /**
   * Makes the space smaller.
   * @throws {NoSpaceError} when a block beyond the new end is in use now or was at the last commit.
   */
  shrink(nrBlocks: number): void {
    refuseUnlessTailFree(this.#map, this.#kept.with(this.#committed), nrBlocks, 'data');
    this.#map.shrink(nrBlocks);
    this.#begin = Math.min(this.#begin, nrBlocks);
  }

  commit(): void {
    this.#index.commit();
    this.#committed = this.#map.freeze();
    this.#allocatedSinceCommit = 0;
  }

  /** Visits the half-open runs of blocks that an older version, which is still held, uses and the last commit does not. */
  forEachFreedSince(version: KeptVersion, visit: (begin: number, end: number) => void): void {
    forEachFreed(this.#tm, version.map, this.#committed, visit);
  }

  /** Holds the last committed version. */
  keepCommitted(): KeptVersion {
    return this.#kept.keep(this.#committed);
  }
}

/** @throws {NoSpaceError} unless all blocks from `nrBlocks` on are free in the current and in all kept versions. */
export function refuseUnlessTailFree(
  map: LowLevelMap,
  kept: readonly FrozenMap[],
  nrBlocks: number,
  space: 'data' | 'metadata',
): void {
  const b = map.findUsed(kept, nrBlocks);
  if (b < 0) return;
  throw new NoSpaceError(`Cannot shrink the ${space} space to ${nrBlocks} blocks: block ${b} is in use`, space);
}
