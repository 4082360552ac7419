import { assert, CorruptionError, NoSpaceError } from '../base/index.ts';
import { COUNT_OVERFLOW, MAX_METADATA_BLOCKS, type SpaceMapRoot, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { SpaceMap } from '../space-map/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { refuseUnlessTailFree } from './data-space-map.ts';
import type { FrozenMap } from './find-free.ts';
import { type KeptVersion, KeptVersions } from './kept-versions.ts';
import { LowLevelMap } from './low-level-map.ts';
import { MetadataIndex } from './metadata-index.ts';
import { PendingOperations } from './pending-operations.ts';

interface Threshold {
  readonly blocks: number;
  readonly callback: () => void;
  wasAbove: boolean;
}

/**
 * The space map that lives in the space it manages (`sm_metadata`).
 *
 * To count a block may mean to shadow a bitmap, that is to allocate one block and free another, that is to count. So a change that
 * comes up while another one is under way is queued, and the outermost change applies the queue before it returns:
 * - first in, first out; an operation stays in the queue while it is applied, so that a count asked meanwhile errs towards "in use";
 * - it ends, because a bitmap or node that was shadowed once is not shadowed again in this transaction.
 *
 * Before the map can count itself (at format, and in new space after growth) it is in *bootstrap*: blocks are handed out one after the
 * other, and their counts queued.
 */
export class MetadataSpaceMap implements SpaceMap {
  readonly #map: LowLevelMap;
  readonly #index: MetadataIndex;
  readonly #kept: KeptVersions;
  readonly #pending = new PendingOperations();
  #committed: FrozenMap;
  #begin = 0;
  #allocatedSinceCommit = 0;
  #depth = 0;
  #bootstrap = false;
  /** Blocks that a bootstrap may hand out end here. */
  #bootstrapEnd = 0;
  #threshold: Threshold | undefined;

  /** The increment that is being counted, while a change is under way. */
  readonly #applying = { begin: 0, end: 0 };

  /** What was allocatable in core and in all versions of this state, with what has been allocated since. */
  #counted: { committed: FrozenMap; changes: number; nrBlocks: number; free: number };

  private constructor(tm: TransactionManager, kept: KeptVersions) {
    this.#index = new MetadataIndex(tm);
    this.#map = new LowLevelMap(tm, this.#index);
    this.#kept = kept;
    this.#committed = this.#map.freeze();
    this.#counted = { committed: this.#committed, changes: -1, nrBlocks: 0, free: 0 };
  }

  /** Makes the map without content: {@link bootstrap} or {@link open} follows, once the transaction manager has it. */
  static unbound(tm: TransactionManager, kept = new KeptVersions()): MetadataSpaceMap {
    return new MetadataSpaceMap(tm, kept);
  }

  /** Makes the map of a fresh device of `nrBlocks` blocks, whose first `nrReserved` (the superblock) are allocated. */
  bootstrap(nrBlocks: number, nrReserved: number): void {
    this.#begin = SUPERBLOCK_LOCATION + nrReserved;
    this.#bootstrapEnd = Math.min(nrBlocks, MAX_METADATA_BLOCKS);
    this.#bootstrap = true;
    this.#index.create();
    this.#map.create();
    this.#map.extend(this.#bootstrapEnd);
    this.#bootstrap = false;
    this.#pending.push(1, SUPERBLOCK_LOCATION, this.#begin);
    this.#enter();
    this.#leave();
    this.commit();
  }

  /** Reads the map with this root. @throws {CorruptionError} when the root can't be one of a device of `deviceBlocks` blocks. */
  open(root: SpaceMapRoot, deviceBlocks: number): void {
    const { nrBlocks, nrAllocated } = root;
    if (!(nrBlocks > 0 && nrBlocks <= Math.min(deviceBlocks, MAX_METADATA_BLOCKS) && nrAllocated <= nrBlocks)) {
      const message = `Cannot open metadata space map: ${nrAllocated} of ${nrBlocks} blocks are allocated, the device has ${deviceBlocks}`;
      throw new CorruptionError(message, { field: 'nrBlocks', found: nrBlocks, expected: `1 to ${deviceBlocks}` });
    }
    this.#index.open(root.bitmapRoot);
    this.#map.open(root);
    this.#committed = this.#map.freeze();
    if (this.#map.countField(SUPERBLOCK_LOCATION) === 0) {
      throw new CorruptionError('Cannot open metadata space map: the superblock is not allocated in it', {
        block: 0,
        field: 'count',
        found: 0,
      });
    }
  }

  get root(): SpaceMapRoot {
    return this.#map.root;
  }

  get nrBlocks(): number {
    return this.#map.nrBlocks;
  }

  /** Blocks freed since the last commit are not counted before the next; blocks that a kept version uses, not before it is released. */
  get nrFree(): number {
    const nrFree = this.#nrFreeSinceCommit;
    const isPlain = this.#kept.size === 0 && this.#map.nrBlocks >= this.#committed.nrBlocks;
    return isPlain || this.#depth > 0 || this.#bootstrap ? nrFree : Math.min(nrFree, this.#countAllocatable());
  }

  /** Blocks that targets keep back, so that a commit or a deletion never lacks space: a tenth, at most 4096. Nothing is refused here for it. */
  get reserve(): number {
    return Math.min(4096, Math.floor(this.nrBlocks / 10));
  }

  /** Blocks free for new work: without the reserve. */
  get nrFreeForWork(): number {
    return Math.max(0, this.nrFree - this.reserve);
  }

  get #nrFreeSinceCommit(): number {
    return this.#committed.nrBlocks - this.#committed.nrAllocated - this.#allocatedSinceCommit;
  }

  /** Blocks that could be handed out now. Counted once for a set of versions; from then on only allocations take from it. */
  #countAllocatable(): number {
    const { nrBlocks } = this.#map;
    const { changes } = this.#kept;
    let counted = this.#counted;
    if (counted.committed !== this.#committed || counted.changes !== changes || counted.nrBlocks !== nrBlocks) {
      const kept = this.#kept.with(this.#committed);
      const free = this.#map.countCommonFree(kept) + this.#allocatedSinceCommit;
      counted = { committed: this.#committed, changes, nrBlocks, free };
      this.#counted = counted;
    }
    return counted.free - this.#allocatedSinceCommit;
  }

  getCount(b: number): number {
    if (this.#bootstrap) return b < this.#begin ? 1 : 0;
    return this.#map.count(b) + this.#pending.adjustment(b);
  }

  countIsMoreThanOne(b: number): boolean {
    if (this.#bootstrap) return false;
    const adjustment = this.#pending.isEmpty ? 0 : this.#pending.adjustment(b);
    if (adjustment > 1) return true;
    const field = this.#map.countField(b);
    // Not into the tree: a pending decrement can at most make three into two.
    return field === COUNT_OVERFLOW || field + adjustment > 1;
  }

  setCount(b: number, count: number): void {
    assert(this.#depth === 0 && !this.#bootstrap, 'a count is not set while the map changes itself');
    this.#enter();
    this.#map.setCount(b, count);
    this.#leave();
  }

  incRange(begin: number, end: number): void {
    this.#change(1, begin, end);
  }

  decRange(begin: number, end: number): void {
    this.#change(-1, begin, end);
  }

  newBlock(): number {
    if (this.#bootstrap) return this.#newBootstrapBlock();
    const kept = this.#kept.with(this.#committed);
    let b = this.#findUnpromised(kept, this.#begin);
    if (b < 0) b = this.#findUnpromised(kept, 0);
    if (b < 0) {
      const message = `Cannot allocate a metadata block: none of ${this.nrBlocks} is free both now and in the last commit`;
      throw new NoSpaceError(message, 'metadata');
    }
    // At once, so that nobody gets the same block while its count is still queued.
    this.#begin = b + 1;
    this.#change(1, b, b + 1);
    this.#allocatedSinceCommit++;
    this.#checkThreshold();
    return b;
  }

  /**
   * Takes new space at the device's end into use. The bitmaps that describe it come from it, as the old space may be full.
   */
  extend(extra: number): void {
    assert(this.#depth === 0, 'a map is not extended while it changes itself');
    if (this.#map.nrBlocks + extra > MAX_METADATA_BLOCKS) {
      throw new RangeError(
        `Cannot extend the space map to ${this.#map.nrBlocks + extra} blocks: at most ${MAX_METADATA_BLOCKS} are possible`,
      );
    }
    if (extra === 0) return;
    let counted = this.#map.nrBlocks;
    this.#begin = counted;
    this.#bootstrapEnd = counted + extra;
    this.#bootstrap = true;
    this.#map.extend(extra);
    // To count the new blocks may shadow bitmaps, and so use more new blocks, until it does not.
    do {
      const begin = this.#begin;
      this.#pending.push(1, counted, begin);
      counted = begin;
      this.#enter();
      this.#leave();
      // The index alone: the committed version stays what it was.
      this.#index.commit();
    } while (this.#begin !== counted);
    this.#bootstrap = false;
  }

  /** The block from which on the next free one is looked for. */
  get cursor(): number {
    return this.#begin;
  }

  /**
   * Looks for the next free block from `b` on. After {@link extend} that is the new space, as the kernel has it: what was free below is used
   * when the new space is. Who wants it used first goes back.
   */
  set cursor(b: number) {
    assert(this.#depth === 0 && !this.#bootstrap, 'the cursor is not moved while the map changes itself');
    this.#begin = Math.min(b, this.#map.nrBlocks);
  }

  /** Makes the space smaller. @throws {NoSpaceError} when a block beyond the new end is in use now or was at the last commit. */
  shrink(nrBlocks: number): void {
    refuseUnlessTailFree(this.#map, this.#kept.with(this.#committed), nrBlocks, 'metadata');
    this.#enter();
    this.#map.shrink(nrBlocks);
    this.#leave();
    this.#begin = Math.min(this.#begin, nrBlocks);
  }

  commit(): void {
    this.#index.commit();
    this.#committed = this.#map.freeze();
    this.#allocatedSinceCommit = 0;
  }

  /** Holds the last committed version. */
  keepCommitted(): KeptVersion {
    return this.#kept.keep(this.#committed);
  }

  /** Calls back when an allocation brings {@link nrFree} down to `blocks` or below; again only after it has been above. */
  registerThreshold(blocks: number, callback: () => void): void {
    this.#threshold = { blocks, callback, wasAbove: true };
  }

  #change(delta: 1 | -1, begin: number, end: number): void {
    if (begin >= end) return;
    if (this.#bootstrap || this.#depth > 0) {
      this.#pending.push(delta, begin, end);
      return;
    }
    this.#enter();
    this.#apply(delta, begin, end);
    this.#leave();
  }

  #apply(delta: 1 | -1, begin: number, end: number): void {
    if (delta === 1) {
      this.#applying.begin = begin;
      this.#applying.end = end;
      this.#map.incRange(begin, end);
      this.#applying.end = 0;
    } else {
      this.#map.decRange(begin, end);
    }
  }

  /**
   * A block that is free in all versions and that nobody was given whose increment still waits: on a nearly full device the search comes
   * round to those again before they are counted.
   */
  #findUnpromised(kept: readonly FrozenMap[], from: number): number {
    let b = this.#map.findCommonFree(kept, from);
    while (b >= 0 && this.#depth > 0 && this.#isPromised(b)) b = this.#map.findCommonFree(kept, b + 1);
    return b;
  }

  #isPromised(b: number): boolean {
    return (b >= this.#applying.begin && b < this.#applying.end) || this.#pending.increments(b);
  }

  #enter(): void {
    this.#depth++;
  }

  /** Ends a change; the outermost one applies what came up meanwhile. */
  #leave(): void {
    if (this.#depth === 1) this.#applyPending();
    this.#depth--;
  }

  #applyPending(): void {
    while (!this.#pending.isEmpty) {
      const { delta, begin, end } = this.#pending.peek();
      this.#apply(delta, begin, end);
      this.#pending.pop();
    }
  }

  #newBootstrapBlock(): number {
    if (this.#begin >= this.#bootstrapEnd) {
      throw new NoSpaceError(
        `Cannot allocate a metadata block: the device of ${this.#bootstrapEnd} blocks is too small`,
        'metadata',
      );
    }
    return this.#begin++;
  }

  #checkThreshold(): void {
    const threshold = this.#threshold;
    if (threshold === undefined) return;
    const isAbove = this.#nrFreeSinceCommit > threshold.blocks;
    const fire = threshold.wasAbove && !isAbove;
    threshold.wasAbove = isAbove;
    if (fire) threshold.callback();
  }
}
