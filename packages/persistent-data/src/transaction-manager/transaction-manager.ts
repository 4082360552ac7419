import { assert, ReadOnlyError, StateError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { type BlockValidator, NODE_VALIDATOR, WORDS_PER_BLOCK } from '../format/index.ts';
import type { SpaceMap } from '../space-map/index.ts';
import { NonBlockingClone } from './non-blocking-clone.ts';
import { PrefetchSet } from './prefetch-set.ts';
import { ShadowSet } from './shadow-set.ts';

/** What `writeLockMoved` answers where a block can't be moved. */
const NOT_MOVED = -1;

/** What reads blocks: a transaction manager, or its non-blocking clone. */
export interface BlockReader {
  /** The place of block `b`, valid until the next call of the block manager. @see BlockManager.read */
  read(b: number, validator: BlockValidator): number;
  readonly blockManager: BlockManager;
}

/** What the transaction manager tells a trace hook. Block numbers are of the metadata device. */
export type TraceEvent =
  | { readonly event: 'new'; readonly block: number; readonly kind: string }
  | {
      readonly event: 'shadow';
      readonly from: number;
      readonly to: number;
      readonly kind: string;
      readonly shared: boolean;
    }
  | { readonly event: 'inc' | 'dec'; readonly begin: number; readonly end: number }
  | { readonly event: 'pre-commit' | 'commit' };

/**
 * Enforces copy-on-write: the only ways to a writable block are to shadow an existing one and to allocate a fresh one. Blocks that
 * the last commit refers to are never written.
 *
 * When a change fails half-way (no space, a bad block, a failing device) the structures in core are undefined: the manager is
 * *broken*, and every further change fails until its owner rolls back by opening again from the last commit.
 */
export class TransactionManager implements BlockReader {
  readonly blockManager: BlockManager;
  readonly spaceMap: SpaceMap;
  /** Whether the block that {@link shadow} copied last has other owners: then the caller incs all that the copy refers to. */
  shadowWasShared = false;
  /** Counts changes of any block. Who keeps a place without a lock compares it. */
  version = 0;
  /** Free when undefined. */
  trace: ((event: TraceEvent) => void) | undefined = undefined;
  readonly #shadows = new ShadowSet();
  readonly #prefetches = new PrefetchSet();
  #broken: unknown;

  /** @param spaceMap - Of the same device; or what makes it, for a map that keeps its records through this very manager. */
  constructor(blockManager: BlockManager, spaceMap: SpaceMap | ((tm: TransactionManager) => SpaceMap)) {
    this.blockManager = blockManager;
    this.spaceMap = typeof spaceMap === 'function' ? spaceMap(this) : spaceMap;
  }

  /** Why the running transaction can't go on, if it can't. */
  get broken(): unknown {
    return this.#broken;
  }

  /** Blocks allocated or copied in this transaction so far. */
  get nrShadows(): number {
    return this.#shadows.size;
  }

  read(b: number, validator: BlockValidator): number {
    return this.blockManager.read(b, validator);
  }

  /** Locks a block for reading and answers its place. */
  readLock(b: number, validator: BlockValidator): number {
    return this.blockManager.readLock(b, validator);
  }

  unlock(base: number): void {
    this.blockManager.unlock(base);
  }

  /**
   * Allocates a block: zeroed, write-locked, count 1. Answers its place; `blockManager.blockAt` gives the number.
   * @throws {NoSpaceError}
   */
  newBlock(validator: BlockValidator): number {
    this.#refuseChange();
    try {
      const b = this.spaceMap.newBlock();
      const base = this.blockManager.writeLockZero(b, validator);
      this.#shadows.add(b);
      this.version++;
      this.trace?.({ event: 'new', block: b, kind: validator.kind });
      return base;
    } catch (error) {
      throw this.#break(error);
    }
  }

  /**
   * Makes block `original` writable: itself where this transaction made it and nobody else refers to it, else a copy, to which the
   * caller must lead the reference that it followed. Sets {@link shadowWasShared}. Answers the place, write-locked.
   *
   * The copy's own block number and checksum are wrong until it is written out.
   */
  shadow(original: number, validator: BlockValidator): number {
    if (this.#broken !== undefined) this.#refuseChange();
    this.version++;
    try {
      // Most often: made in this transaction, and nobody has added a reference. Saves a third of a random insert.
      if (this.#shadows.isOwned(original)) {
        this.shadowWasShared = false;
        return this.blockManager.writeLock(original, validator);
      }
      const shared = this.spaceMap.countIsMoreThanOne(original);
      this.shadowWasShared = shared;
      // In the set: no commit refers to it. Not shared: no other parent does, such as a snapshot made in this transaction.
      if (!shared && this.#shadows.has(original)) return this.blockManager.writeLock(original, validator);
      return this.#copy(original, validator, shared);
    } catch (error) {
      throw this.#break(error);
    }
  }

  #copy(original: number, validator: BlockValidator, shared: boolean): number {
    const { blockManager, spaceMap } = this;
    const b = spaceMap.newBlock();
    // The caller is about to replace its reference to the original by one to the copy.
    spaceMap.decRange(original, original + 1);
    // An old node that nobody else refers to is wanted by a rollback at most. Old bitmaps are: who looks for a free block reads them.
    const moved =
      !shared && validator === NODE_VALIDATOR ? blockManager.writeLockMoved(b, original, validator) : NOT_MOVED;
    const to = moved === NOT_MOVED ? this.#duplicate(original, b, validator) : moved;
    this.#shadows.add(b);
    // Counting may have shadowed other blocks meanwhile.
    this.shadowWasShared = shared;
    this.trace?.({ event: 'shadow', from: original, to: b, kind: validator.kind, shared });
    return to;
  }

  #duplicate(original: number, b: number, validator: BlockValidator): number {
    const { blockManager } = this;
    const from = blockManager.readLock(original, validator);
    const to = blockManager.writeLockFresh(b, validator);
    blockManager.slab.words.copyWithin(to, from, from + WORDS_PER_BLOCK);
    blockManager.unlock(from);
    return to;
  }

  /** Whether this transaction made the block, so that no commit refers to it. */
  isShadow(b: number): boolean {
    return this.#shadows.has(b);
  }

  /**
   * Whether {@link shadow} would answer block `b` itself, as far as that is known without asking the space map: this transaction made it, and nobody has
   * added a reference to it since. Never when the transaction is broken.
   */
  owns(b: number): boolean {
    return this.#broken === undefined && this.#shadows.isOwned(b);
  }

  /** Adds one to the count of block `b`. */
  inc(b: number): void {
    this.incRange(b, b + 1);
  }

  incRange(begin: number, end: number): void {
    this.#refuseChange();
    this.version++;
    this.#shadows.share(begin, end);
    try {
      this.spaceMap.incRange(begin, end);
      this.trace?.({ event: 'inc', begin, end });
    } catch (error) {
      throw this.#break(error);
    }
  }

  /** Takes one from the count of block `b`. Never descends: what the block refers to is its owner's affair. */
  dec(b: number): void {
    this.decRange(b, b + 1);
  }

  decRange(begin: number, end: number): void {
    this.#refuseChange();
    this.version++;
    try {
      this.spaceMap.decRange(begin, end);
      this.trace?.({ event: 'dec', begin, end });
    } catch (error) {
      throw this.#break(error);
    }
  }

  /** The reference count of block `b`. */
  ref(b: number): number {
    return this.spaceMap.getCount(b);
  }

  isShared(b: number): boolean {
    return this.spaceMap.countIsMoreThanOne(b);
  }

  /**
   * The first phase of a commit: the space map writes down its own state, then everything that is dirty goes to the disk and is
   * flushed. Nothing may be allocated between this and {@link commit}.
   */
  preCommit(): void {
    this.prepareCommit();
    this.blockManager.flush();
  }

  /** {@link preCommit} without writing: for owners who write and flush in their own way. */
  prepareCommit(): void {
    this.#refuseChange();
    try {
      this.spaceMap.commit();
    } catch (error) {
      throw this.#break(error);
    }
    this.trace?.({ event: 'pre-commit' });
  }

  /**
   * The second phase: the superblock, filled in by the caller and locked for writing at `superblock`, is unlocked, written and
   * flushed. All blocks are committed now, so that each has to be copied before the next change.
   */
  commit(superblock: number): void {
    this.finishCommit();
    this.blockManager.unlock(superblock);
    assert(this.blockManager.nrLocked === 0, 'no lock is held across a commit');
    this.blockManager.flush();
  }

  /** {@link commit} without writing: from now on each block has to be copied before it is changed. */
  finishCommit(): void {
    this.#refuseChange();
    this.#shadows.clear();
    this.version++;
    this.trace?.({ event: 'commit' });
  }

  /** A reader that never waits for the disk: what is not cached is a `WouldBlockError`, and is noted for {@link issuePrefetches}. */
  nonBlockingClone(): NonBlockingClone {
    return new NonBlockingClone(this.blockManager, this.#prefetches);
  }

  /** Reads what non-blocking clones missed. */
  issuePrefetches(): void {
    this.#prefetches.issue(this.blockManager);
  }

  /** Notes that the running transaction can't go on. A failure inside the manager does so by itself. */
  markBroken(error: unknown): void {
    this.#break(error);
  }

  /**
   * For owners, before they use what is in core.
   *
   * @throws {ReadOnlyError} when the device failed; only opening again helps.
   * @throws {StateError} when a change failed half-way: what is in core is undefined until the rollback.
   */
  refuseIfBroken(action: string): void {
    // First: after a failure of the device no rollback helps.
    this.blockManager.refuseIfFailed(action);
    if (this.#broken !== undefined) this.#refuse(action);
  }

  /** For owners, before a change. @throws {ReadOnlyError} when nothing can be written. */
  refuseIfReadOnly(action: string): void {
    if (this.blockManager.readOnly) throw new ReadOnlyError(`Cannot ${action}: the metadata is read-only`);
  }

  #break(error: unknown): unknown {
    this.#broken ??= error;
    this.version++;
    return error;
  }

  #refuseChange(): void {
    if (this.#broken !== undefined) this.#refuse('change anything');
  }

  #refuse(action: string): never {
    const cause = this.#broken;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StateError(`Cannot ${action}: the transaction failed and has to be rolled back: ${reason}`, { cause });
  }
}
