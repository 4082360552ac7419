import { NoSpaceError, PersistentDataError, ReadOnlyError, StateError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import type { KeptVersion, KeptVersions } from '../disk-space-map/index.ts';
import { ENTRIES_PER_BITMAP, MAX_METADATA_BLOCKS } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type PendingCheckpoint, writeCheckpoint, writeSuperblock } from './checkpoint.ts';
import { StoreCore } from './core.ts';
import type { Journal } from './journal.ts';
import type { RawCollection } from './raw-collection.ts';
import type { RecordingDevice } from './recording-device.ts';
import { RedoLog } from './redo-log.ts';
import { replayOperations } from './replay.ts';
import type { StoreSuperblock } from './superblock.ts';

/** Growth of the file: an eighth, at least and at most so many blocks. */
const MIN_GROWTH = 64;
const MAX_GROWTH = 16384;
/** Work between two checkpoints, in bytes of journal, from which on a rollback is followed by one: so that the next rollback is cheap. */
const COSTLY_REPLAY_BYTES = 65536;

/** What an engine works on. */
export interface EngineParts {
  readonly device: BlockDevice;
  readonly recording: RecordingDevice;
  readonly blockManager: BlockManager;
  readonly kept: KeptVersions;
  /** Why nothing may be changed, if so: `it was opened read-only`. */
  readonly readOnlyReason: string | undefined;
  readonly journalBlocks: number | undefined;
}

/** What an engine tells of itself. */
export interface EngineEvents {
  /** A commit is durable. */
  commit(event: { readonly generation: number; readonly checkpoint: boolean }): void;
  /** The file has grown. Blocks. */
  grow(event: { readonly from: number; readonly to: number }): void;
  /** A failure has latched the store. */
  failure(error: unknown): void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Transactions, durability and space of one store; knows nothing of codecs and handles.
 *
 * - Changes are done in core and logged behind the journal's tail. A *small commit* seals them as a record: one write, one flush. Dirty blocks
 *   stay dirty. A *checkpoint* writes them, and a superblock; it is what a commit becomes when the log has no room for it.
 * - A rollback forgets dirty blocks, opens the last checkpoint again and replays what was committed since.
 * - The first failed write or flush latches: nothing more is written, every call fails with the reason.
 */
export class Engine {
  device: BlockDevice;
  blockManager: BlockManager;
  core: StoreCore;
  journal: Journal;
  log: RedoLog;
  /** Of the last checkpoint, which may still be on its way to the disk. */
  superblock: StoreSuperblock;
  /** Changes whenever handles have to look up anew what they stand for, or are not usable any more. */
  stamp = 0;
  /** A transaction was begun and not ended. */
  inTransaction = false;
  /** Free blocks that the space map does not count yet, less those it counts that can't be had yet. */
  bonus = 0;
  /** Free blocks that are kept back, for the worst that one operation and a checkpoint can need. */
  reserve = 0;
  readonly events: EngineEvents;
  #parts: EngineParts;
  #failure: unknown;
  #closed = false;
  /** Why the running transaction can't go on, if it can't. */
  #broken: unknown;
  /** Where the running transaction's operations begin. */
  #mark = 0;
  /** Callers whose operations are in the journal's memory and in no record yet. */
  #waiters: Waiter[] = [];
  #flight: Promise<void> | undefined;
  #pending: PendingCheckpoint | undefined;
  /** Holders of checkpoints, and blocks that may have become free since, and be theirs. */
  #nrHolds = 0;
  #heldBack = 0;

  constructor(
    parts: EngineParts,
    state: { readonly core: StoreCore; readonly superblock: StoreSuperblock; readonly journal: Journal },
    events: EngineEvents,
  ) {
    this.#parts = parts;
    this.device = parts.device;
    this.blockManager = parts.blockManager;
    this.events = events;
    this.core = state.core;
    this.superblock = state.superblock;
    this.journal = state.journal;
    this.log = new RedoLog(state.journal);
    this.#setReserve();
  }

  get readOnly(): boolean {
    return this.#parts.readOnlyReason !== undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a failure has ended all use. */
  get isLatched(): boolean {
    return this.#failure !== undefined;
  }

  /** Whether something is on its way to the disk. */
  get isFlying(): boolean {
    return this.#pending !== undefined;
  }

  /** Whether there are changes that no commit has taken. */
  get hasChanges(): boolean {
    return this.journal.isOpen;
  }

  // ------------------------------------------------------------------ state

  /** @throws {StateError | ReadOnlyError} when the store can't be used: closed, latched, or its transaction is broken. */
  refuseUnusable(action: string): void {
    if (this.#closed) throw new StateError(`Cannot ${action}: the store is closed`);
    if (this.#failure !== undefined) {
      const text = `Cannot ${action}: an earlier write or flush failed, the store has to be reopened: ${reasonOf(this.#failure)}`;
      throw new ReadOnlyError(text, { cause: this.#failure });
    }
    if (this.#broken !== undefined) {
      const text = `Cannot ${action}: the transaction failed and has to be rolled back: ${reasonOf(this.#broken)}`;
      throw new StateError(text, { cause: this.#broken });
    }
  }

  refuseReadOnly(action: string): void {
    this.refuseUnusable(action);
    const { readOnlyReason } = this.#parts;
    if (readOnlyReason !== undefined) throw new ReadOnlyError(`Cannot ${action}: ${readOnlyReason}`);
  }

  // ------------------------------------------------------------------ changes

  /** Whether a change of this collection can begin at once: the fast path of {@link beginChange}. */
  isReady(raw: RawCollection): boolean {
    const { core } = this;
    return this.inTransaction && raw.epoch === core.epoch && core.spaceMap.nrFree + this.bonus >= this.reserve;
  }

  /** Makes a collection ready to be changed by one operation. Outside a transaction it is a transaction of its own. */
  beginChange(raw: RawCollection): void {
    this.beginOperation('change the store');
    try {
      this.core.checkOut(raw);
    } catch (error) {
      throw this.failChange(error);
    }
  }

  /** As {@link beginChange}, for an operation that is not about one collection. */
  beginOperation(action: string): void {
    this.refuseReadOnly(action);
    if (!this.inTransaction) this.#beginHere();
    try {
      this.ensureSpace();
    } catch (error) {
      // Growing may have failed half-way.
      throw this.#broken === undefined ? error : this.failChange(error);
    }
  }

  /** A change was done and logged. */
  endChange(): void {
    if (!this.inTransaction) this.#commitOrRollBack();
  }

  /** A change failed half-way: the transaction has to be rolled back; outside one it is, at once. */
  failChange(error: unknown): unknown {
    this.#break(error);
    if (!this.inTransaction && this.#failure === undefined) this.#rollBackTo(this.#mark);
    return error;
  }

  /** As {@link change}, but outside a transaction it is left to the next commit. */
  changeLazily<R>(action: string, apply: (core: StoreCore, log: RedoLog) => R): R {
    this.beginOperation(action);
    try {
      return apply(this.core, this.log);
    } catch (error) {
      throw this.failChange(error);
    }
  }

  /** Does one operation that is no hot path: space, `apply` (which logs), commit or rollback. */
  change<R>(action: string, apply: (core: StoreCore, log: RedoLog) => R): R {
    this.beginOperation(action);
    let result: R;
    try {
      result = apply(this.core, this.log);
    } catch (error) {
      throw this.failChange(error);
    }
    this.endChange();
    return result;
  }

  // ------------------------------------------------------------------ transactions

  /**
   * @param isShort - The transaction ends before anybody else runs. Otherwise what a group has done before is sealed now, so that it
   *   need not wait.
   */
  begin(isShort = false): void {
    this.refuseReadOnly('begin a transaction');
    if (this.inTransaction) throw new StateError('Cannot begin a transaction: one is running, end it first');
    if (!isShort && this.#waiters.length > 0 && this.journal.isOpen && !this.journal.overflowed) {
      this.#finishPending();
      this.#writeRecord();
    }
    this.#beginHere();
    this.inTransaction = true;
  }

  /** Does several operations as one: in the running transaction, or in one of their own, which is rolled back when something throws. */
  inOneTransaction<R>(work: () => R): R {
    if (this.inTransaction) return work();
    this.begin(true);
    let result: R;
    try {
      result = work();
    } catch (error) {
      if (this.inTransaction && !this.isLatched) this.rollback();
      throw error;
    }
    this.commit();
    return result;
  }

  /** @throws {StateError} when no transaction was begun. */
  commit(): void {
    this.refuseUnusable('commit');
    this.#refuseUnlessRunning('commit');
    this.inTransaction = false;
    if (this.journal.overflowed || this.journal.mark > this.#mark) this.#commitOrRollBack();
  }

  /** As {@link commit}; resolves when the commit is durable. The next transaction may begin at once. */
  commitAsync(): Promise<void> {
    try {
      this.refuseUnusable('commit');
      this.#refuseUnlessRunning('commit');
    } catch (error) {
      return Promise.reject(error);
    }
    this.inTransaction = false;
    if (!this.journal.overflowed && this.journal.mark <= this.#mark) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#startFlight();
    });
  }

  /** Throws away what was done since {@link begin}. Costs nothing when that was nothing, else a replay of what was committed since the checkpoint. */
  rollback(): void {
    if (this.#closed) throw new StateError('Cannot roll back: the store is closed');
    if (this.#failure !== undefined) this.refuseUnusable('roll back');
    this.#refuseUnlessRunning('roll back');
    this.inTransaction = false;
    if (this.#broken === undefined && !this.journal.overflowed && this.journal.mark === this.#mark) return;
    this.#rollBackTo(this.#mark);
  }

  /** Makes everything that is committed part of a checkpoint, durably. @param withProof - see {@link writeCheckpoint}. */
  checkpoint(withProof = true): void {
    this.#finishPending();
    const waiters = this.#takeWaiters();
    try {
      this.#checkpoint(withProof);
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
      throw error;
    }
    for (const waiter of waiters) waiter.resolve();
  }

  /**
   * Before closing: makes a checkpoint that is believed without a proof, unless the last one is such and all there is; and gives the free end of
   * the file back. Not in a transaction.
   */
  fold(): void {
    this.#finishPending();
    if (!this.journal.isOpen && this.journal.usedBytes === 0) return;
    // What the last checkpoint alone uses is free only after the next one.
    this.checkpoint(this.device.resize !== undefined);
    const { spaceMap } = this.core;
    const wanted = this.#endOfUse() + 16 + 2 * Math.ceil(spaceMap.nrBlocks / ENTRIES_PER_BITMAP);
    if (this.device.resize !== undefined && wanted + MIN_GROWTH <= spaceMap.nrBlocks) {
      try {
        spaceMap.shrink(wanted);
      } catch (error) {
        throw this.failChange(error);
      }
    }
    if (this.journal.usedBytes > 0 || spaceMap.nrBlocks === wanted) this.checkpoint(false);
    if (this.device.nrBlocks > spaceMap.nrBlocks && this.device.resize !== undefined) {
      this.blockManager.resize(spaceMap.nrBlocks);
      this.#flush();
    }
  }

  /** The first block after the last one in use. */
  #endOfUse(): number {
    const { spaceMap } = this.core;
    let end = spaceMap.nrBlocks;
    while (end > 0 && spaceMap.getCount(end - 1) === 0) end--;
    return end;
  }

  /**
   * Holds the last checkpoint, so that none of its blocks is written until the answer is called. What becomes free meanwhile is not to be
   * had, so the file may grow.
   */
  hold(): { readonly version: KeptVersion; readonly release: () => void } {
    const version = this.core.spaceMap.keepCommitted();
    this.#nrHolds++;
    return {
      version,
      release: () => {
        this.#parts.kept.release(version);
        this.#nrHolds--;
        if (this.#nrHolds > 0) return;
        this.bonus += this.#heldBack;
        this.#heldBack = 0;
      },
    };
  }

  /** Waits until nothing is on its way to the disk. */
  async settled(): Promise<void> {
    while (this.#flight !== undefined) await this.#flight;
  }

  /** Whether operations of a group were too many for a record, so that they can't be replayed before a checkpoint has them. */
  get mustSettle(): boolean {
    return this.journal.overflowed && !this.inTransaction;
  }

  /** Goes on with what another engine has, which must not be used any more: its store has taken the place of this one's. */
  takeOver(other: Engine): void {
    this.#parts = other.#parts;
    this.device = other.device;
    this.blockManager = other.blockManager;
    this.core = other.core;
    this.journal = other.journal;
    this.log = other.log;
    this.superblock = other.superblock;
    this.bonus = other.bonus;
    this.reserve = other.reserve;
    this.stamp++;
  }

  /** Ends all use. What is on its way is finished first, and an open transaction rolled back. */
  close(): void {
    if (this.#closed) return;
    try {
      if (this.#failure === undefined) {
        if (this.inTransaction) this.rollback();
        if (this.journal.isOpen) this.#commitOrRollBack();
        this.#finishPending();
      }
    } finally {
      this.#closed = true;
      this.stamp++;
    }
  }

  #refuseUnlessRunning(action: string): void {
    if (!this.inTransaction) throw new StateError(`Cannot ${action}: no transaction was begun`);
  }

  /** A transaction begins. What a group has done before has to be there for a rollback, in the log or in a checkpoint. */
  #beginHere(): void {
    if (this.journal.overflowed) this.checkpoint();
    this.#mark = this.journal.mark;
  }

  #commitOrRollBack(): void {
    const waiters = this.#takeWaiters();
    try {
      this.#finishPending();
      if (this.journal.overflowed) {
        this.#checkpoint(true);
      } else {
        this.#writeRecord();
        this.#flush();
        this.events.commit({ generation: this.superblock.generation, checkpoint: false });
      }
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
      throw error;
    }
    for (const waiter of waiters) waiter.resolve();
  }

  #takeWaiters(): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }

  #writeRecord(): void {
    this.log.forgetSelection();
    try {
      this.journal.writeRecord(this.device);
    } catch (error) {
      throw this.#writeFailed(error);
    }
  }

  /** A write failed. When the host is full, the last commit is whole: go back to it. */
  #writeFailed(error: unknown): unknown {
    if (!(error instanceof NoSpaceError) && !isCorruption(error)) return this.#latch(error);
    if (this.blockManager.failure !== undefined) return this.#latch(error);
    this.#rollBackTo(undefined);
    return error;
  }

  #flush(): void {
    try {
      this.device.flush();
    } catch (error) {
      throw this.#latch(error);
    }
  }

  // ------------------------------------------------------------------ checkpoints

  #checkpoint(withProof: boolean): void {
    this.#prepare(withProof);
    this.#finishPending();
    this.events.commit({ generation: this.superblock.generation, checkpoint: true });
  }

  /** Writes a checkpoint, to be finished by {@link #finishPending}. */
  #prepare(withProof: boolean): void {
    const before = this.core.spaceMap.nrFree + this.bonus;
    let pending: PendingCheckpoint;
    try {
      pending = writeCheckpoint({ ...this.#parts, core: this.core, superblock: this.superblock }, withProof);
    } catch (error) {
      throw this.#writeFailed(error);
    }
    this.#pending = pending;
    this.superblock = pending.superblock;
    this.journal = pending.journal;
    this.log = new RedoLog(pending.journal);
    // What became free is still in use by the checkpoint before.
    this.bonus = Math.min(0, before - this.core.spaceMap.nrFree);
    if (this.#nrHolds > 0) this.#heldBack = Math.max(this.#heldBack, -this.bonus);
    try {
      if (pending.oneFlush) writeSuperblock(this.device, pending);
    } catch (error) {
      throw this.#latch(error);
    }
  }

  /** Makes a checkpoint durable that is on its way. */
  #finishPending(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#flush();
    if (!pending.oneFlush) this.#writeLateSuperblock(pending);
    if (!pending.oneFlush) this.#flush();
    this.#endPending(pending);
  }

  #writeLateSuperblock(pending: PendingCheckpoint): void {
    try {
      writeSuperblock(this.device, pending);
    } catch (error) {
      throw this.#latch(error);
    }
  }

  #endPending(pending: PendingCheckpoint): void {
    this.#parts.kept.release(pending.held);
    this.#pending = undefined;
    this.bonus = -this.#heldBack;
    this.#setReserve();
  }

  // ------------------------------------------------------------------ asynchronous commits

  #startFlight(): void {
    if (this.#flight !== undefined) return;
    this.#flight = this.#fly().finally(() => {
      this.#flight = undefined;
      if (this.#waiters.length > 0 && this.#failure === undefined) this.#startFlight();
    });
  }

  /** Brings one group after the other to the disk: all whose operations are there when the one before is done. */
  async #fly(): Promise<void> {
    // Callers that were woken by the last group, and all that are ready in this turn, join this one.
    for (let turn = 0; turn < 4; turn++) await undefined;
    while (this.#waiters.length > 0 && this.#failure === undefined) {
      const waiters = this.#takeWaiters();
      try {
        // In a transaction that is running now all before it was sealed when it began.
        if (this.journal.overflowed && !this.inTransaction) await this.#checkpointAsync();
        else await this.#recordAsync();
        for (const waiter of waiters) waiter.resolve();
      } catch (error) {
        for (const waiter of waiters) waiter.reject(error);
      }
      for (let turn = 0; turn < 4; turn++) await undefined;
    }
  }

  async #recordAsync(): Promise<void> {
    if (this.journal.isOpen && !this.inTransaction) this.#writeRecord();
    await this.#flushAsync();
    this.events.commit({ generation: this.superblock.generation, checkpoint: false });
  }

  async #checkpointAsync(): Promise<void> {
    this.#prepare(true);
    const pending = this.#pending!;
    await this.#flushAsync();
    // A synchronous commit may have finished it meanwhile.
    if (this.#pending === pending && !pending.oneFlush) {
      this.#writeLateSuperblock(pending);
      await this.#flushAsync();
    }
    if (this.#pending === pending) this.#endPending(pending);
    this.events.commit({ generation: this.superblock.generation, checkpoint: true });
  }

  async #flushAsync(): Promise<void> {
    try {
      if (this.device.flushAsync) await this.device.flushAsync();
      else this.device.flush();
    } catch (error) {
      throw this.#latch(error);
    }
    // Another flush may have been told of a failure that covers these writes too.
    if (this.#failure !== undefined) throw this.#failure;
  }

  // ------------------------------------------------------------------ rollback and failure

  /** Back to the last checkpoint, then through what was committed since; up to `mark`, or without anything that is in no record. */
  #rollBackTo(mark: number | undefined): void {
    const { kept } = this.#parts;
    this.#broken = undefined;
    this.stamp++;
    if (mark === undefined) this.journal.rewindAll();
    else this.journal.rewind(mark);
    this.log.forgetSelection();
    const lost = mark === undefined ? this.#takeWaiters() : [];
    try {
      this.blockManager.forgetDirty();
      this.#parts.recording.clear();
      this.core = StoreCore.open(this.blockManager, this.superblock, kept);
      this.bonus = Math.min(this.bonus, 0);
      this.#setReserve();
      this.replay();
    } catch (error) {
      this.#latch(error);
      throw error;
    } finally {
      for (const waiter of lost) waiter.reject(new StateError('Cannot commit: the transaction was rolled back'));
    }
    if (mark !== undefined) this.#foldCostly();
  }

  /** After a rollback that had much to replay: makes the next one cheap. */
  #foldCostly(): void {
    if (this.#pending !== undefined || this.journal.isOpen || this.journal.usedBytes < COSTLY_REPLAY_BYTES) return;
    try {
      this.#checkpoint(true);
    } catch (error) {
      // On a full host everything is as it was before.
      if (this.#failure !== undefined) throw error;
    }
  }

  /** Does again what the journal has. */
  replay(): void {
    this.journal.forEachRun((from, to) => replayOperations(this, this.journal.slab, { from, to }));
  }

  #break(error: unknown): void {
    if (this.blockManager.failure !== undefined) this.#latch(this.blockManager.failure);
    this.#broken ??= error;
    this.stamp++;
  }

  #latch(error: unknown): unknown {
    if (this.#failure !== undefined) return error;
    this.#failure = error;
    this.stamp++;
    for (const waiter of this.#takeWaiters()) waiter.reject(error);
    this.events.failure(error);
    return error;
  }

  // ------------------------------------------------------------------ space

  /** Makes sure that enough blocks are free for the next operation and a checkpoint. @throws {NoSpaceError} when there are not. */
  ensureSpace(): void {
    if (this.core.spaceMap.nrFree + this.bonus < this.reserve) this.#grow(this.reserve);
  }

  /** As {@link ensureSpace}, for an operation that takes so many blocks more. */
  ensureSpaceFor(nrBlocks: number): void {
    // Trees over them, and bitmaps.
    const wanted = this.reserve + nrBlocks + Math.ceil(nrBlocks / 64);
    if (this.core.spaceMap.nrFree + this.bonus < wanted) this.#grow(wanted);
  }

  #setReserve(): void {
    const { nrBlocks } = this.core.spaceMap;
    // Bitmaps may all be shadowed, and of the tree of large counts as much as there can be of it.
    this.reserve = 64 + 2 * Math.ceil(nrBlocks / ENTRIES_PER_BITMAP) + (nrBlocks >>> 5);
  }

  #grow(wanted: number): void {
    const { core, blockManager } = this;
    const { spaceMap } = core;
    const from = spaceMap.nrBlocks;
    const missing = wanted - (spaceMap.nrFree + this.bonus);
    const step = Math.max(MIN_GROWTH, missing + Math.min(missing, MIN_GROWTH), Math.min(MAX_GROWTH, from >>> 3));
    const to = Math.min(from + step, this.device.resize === undefined ? this.device.nrBlocks : MAX_METADATA_BLOCKS);
    if (to - from < missing) {
      const text = `Cannot change the store: ${from} blocks are in use or reserved, and it cannot grow`;
      throw new NoSpaceError(text, 'metadata');
    }
    if (this.device.nrBlocks < to || blockManager.nrBlocks < to) {
      blockManager.resize(Math.max(to, this.device.nrBlocks));
    }
    const { nrAllocated } = spaceMap.root;
    try {
      spaceMap.extend(to - from);
    } catch (error) {
      this.#break(error);
      throw error;
    }
    this.bonus += to - from - (spaceMap.root.nrAllocated - nrAllocated);
    this.#setReserve();
    this.events.grow({ from, to });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isCorruption(error: unknown): boolean {
  return error instanceof PersistentDataError && error.code === 'PDATA_CORRUPT';
}
