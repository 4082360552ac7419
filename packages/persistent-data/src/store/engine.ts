import { NoSpaceError, StateError } from '../base/index.ts';
import { Backlog, type BacklogHost } from './backlog.ts';
import { type CommitHost, CommitWriter } from './commit-writer.ts';
import { StoreCore } from './core.ts';
import { type DiskParts, StoreDisk } from './disk.ts';
import type { StoreEvents } from './events.ts';
import { GroupCommit } from './group-commit.ts';
import type { Journal } from './journal.ts';
import type { RawCollection } from './raw-collection.ts';
import { RedoLog } from './redo-log.ts';
import { replayOperations } from './replay.ts';
import { Space } from './space.ts';
import type { StoreSuperblock } from './superblock.ts';
import { Usability } from './usability.ts';

/** Bytes of journal since the last checkpoint from which on a rollback is followed by one, so that the next rollback is cheap. */
const COSTLY_REPLAY_BYTES = 65536;

/**
 * The transactions of one store; knows nothing of codecs and handles.
 *
 * - Changes are done in core and logged behind the journal's tail. A *small commit* seals them as a record: one write, one flush. Dirty blocks
 *   stay dirty. A *checkpoint* writes them, and a superblock; it is what a commit becomes when the log has no room for it.
 * - A rollback forgets dirty blocks, opens the last checkpoint again and replays what was committed since.
 * - The first failed write or flush latches: nothing more is written, every call fails with the reason. A full host does not: what could not be
 *   committed is rolled back.
 */
export class Engine implements CommitHost, BacklogHost {
  events: StoreEvents;
  disk: StoreDisk;
  core: StoreCore;
  space: Space;
  log: RedoLog;
  /** Changes whenever handles have to look up anew what they stand for, or are not usable any more. */
  stamp = 0;
  /** A transaction was begun and not ended. */
  inTransaction = false;
  /** Entries of the running transaction that are not in their trees yet. */
  readonly backlog = new Backlog(this);
  readonly #usability: Usability;
  readonly #group: GroupCommit;
  readonly #writer: CommitWriter;
  #toldFailure = false;
  /** A rollback could not be finished for want of room on the host. */
  #stalled = false;
  /** Where the running transaction's operations begin. */
  #mark = 0;

  constructor(
    parts: DiskParts,
    state: { readonly core: StoreCore; readonly superblock: StoreSuperblock; readonly journal: Journal },
    events: StoreEvents,
  ) {
    this.events = events;
    this.#usability = new Usability(parts.readOnlyReason, () => this.disk.failure);
    this.core = state.core;
    this.disk = new StoreDisk(parts, state.superblock, state.journal);
    this.log = new RedoLog(state.journal);
    this.space = new Space(this.disk, state.core, (event) => this.events.grow(event));
    this.#writer = new CommitWriter(this);
    const engine = this;
    this.#group = new GroupCommit({
      get isLatched() {
        return engine.isLatched;
      },
      writeGroup: () => this.#writer.writeGroup(),
    });
  }

  get readOnly(): boolean {
    return this.#usability.readOnlyReason !== undefined;
  }

  get closed(): boolean {
    return this.#usability.isClosed;
  }

  /** Whether the last rollback could not be finished: the next call tries again. */
  get isStalled(): boolean {
    return this.#stalled;
  }

  /** Whether a failure has ended all use. */
  get isLatched(): boolean {
    return this.disk.failure !== undefined;
  }

  get journal(): Journal {
    return this.disk.journal;
  }

  get superblock(): StoreSuperblock {
    return this.disk.superblock;
  }

  /** Whether the last checkpoint, durable, is all there is. */
  get isFolded(): boolean {
    return !this.journal.isOpen && !this.journal.hasRecords && !this.disk.isPending;
  }

  /**
   * Whoever looks at the store or changes it calls this first: puts what waits to be put.
   * @throws {StateError | ReadOnlyError} when the store can't be used: closed, latched, or its transaction is broken.
   */
  refuseUnusable(action: string): void {
    this.backlog.close();
    if (this.#stalled && !this.closed && !this.isLatched) this.#reopen();
    this.#usability.refuseUnusable(action);
  }

  /** As {@link refuseUnusable}, for changes. */
  refuseReadOnly(action: string): void {
    this.refuseUnusable(action);
    this.#usability.refuseReadOnly(action);
  }

  /** @throws {StateError} while a scan runs. */
  refuseInScan(action: string): void {
    this.#usability.refuseInScan(action);
  }

  /** Runs a scan, during which nothing may be changed. */
  scan(scan: () => void): void {
    this.#usability.nrScans++;
    try {
      scan();
    } finally {
      this.#usability.nrScans--;
    }
  }

  /** Whether a change of this collection can begin at once: the fast path of {@link beginChange}. */
  isReady(raw: RawCollection): boolean {
    const { core, space } = this;
    if (this.#usability.nrScans > 0) return false;
    return this.inTransaction && raw.epoch === core.epoch && core.spaceMap.nrFree + space.bonus >= space.reserve;
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
    if (!this.inTransaction) this.#setMark();
    this.ensureSpace();
  }

  /** A change was done and logged. */
  endChange(): void {
    if (!this.inTransaction) this.#commit();
  }

  /** A change failed half-way: the transaction has to be rolled back; outside one it is, at once. */
  failChange(error: unknown): unknown {
    this.stamp++;
    if (this.disk.blockManager.failure !== undefined) this.latch(this.disk.blockManager.failure);
    else if (this.inTransaction) this.#usability.broken ??= error;
    else this.#rollBackTo(this.#mark);
    return error;
  }

  /** Does one operation that is no hot path: space, `apply` (which logs), commit or rollback. */
  change<R>(action: string, apply: (core: StoreCore, log: RedoLog) => R): R {
    const result = this.changeLazily(action, apply);
    this.endChange();
    return result;
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

  /** Makes sure of space for the next operation, which takes `nrBlocks` more than most. @throws {NoSpaceError} when there is not enough. */
  ensureSpace(nrBlocks = 0): void {
    try {
      if (nrBlocks === 0) this.space.ensure();
      else this.space.ensureFor(nrBlocks);
    } catch (error) {
      // Only growing that failed half-way has changed something.
      throw this.core.tm.broken === undefined && this.disk.blockManager.failure === undefined
        ? error
        : this.failChange(error);
    }
  }

  /**
   * @param isShort - The transaction ends before anybody else runs. Otherwise what a group has done before is sealed now, so that it
   *   need not wait.
   */
  begin(isShort = false): void {
    this.refuseReadOnly('begin a transaction');
    if (this.inTransaction) throw new StateError('Cannot begin a transaction: one is running, end it first');
    if (!isShort && this.#group.hasWaiters && this.journal.isOpen && !this.journal.overflowed)
      this.#writer.writeRecord();
    this.#setMark();
    this.inTransaction = true;
  }

  /** Does several operations as one: in the running transaction, or in one of their own, which is rolled back when something throws. */
  inOneTransaction<R>(work: () => R): R {
    if (this.inTransaction) return work();
    const result = this.attempt(work);
    this.commit();
    return result;
  }

  /** Begins a transaction and does `work` in it; rolls back when that throws. */
  attempt<R>(work: () => R): R {
    this.begin(true);
    try {
      return work();
    } catch (error) {
      if (this.inTransaction && !this.isLatched && !this.closed) this.#rollBackQuietly();
      throw error;
    }
  }

  /** @throws {StateError} when no transaction was begun. */
  commit(): void {
    this.#finishBacklog();
    if (this.#endTransaction()) this.#commit();
  }

  /** As {@link commit}; resolves when the commit is durable. The next transaction may begin at once. */
  async commitAsync(): Promise<void> {
    this.#finishBacklog();
    if (this.#endTransaction()) await this.#group.join();
  }

  /** Puts what waits to be put, or rolls back if that fails. */
  #finishBacklog(): void {
    try {
      this.backlog.close();
    } catch (error) {
      if (!this.isLatched) this.#rollBackQuietly();
      throw error;
    }
  }

  /** Throws away what was done since {@link begin}. Costs nothing when that was nothing, else a replay of what was committed since the checkpoint. */
  rollback(): void {
    this.backlog.drop();
    if (this.closed || this.isLatched) this.refuseUnusable('roll back');
    this.#usability.refuseInScan('roll back');
    this.#refuseUnlessRunning('roll back');
    this.inTransaction = false;
    if (this.#usability.broken === undefined && !this.journal.overflowed && this.journal.mark === this.#mark) return;
    this.#rollBackTo(this.#mark);
  }

  /** Rolls back for an error that is thrown anyway. What goes wrong here, the next call says. */
  #rollBackQuietly(): void {
    try {
      this.rollback();
    } catch (error) {
      if (!this.#stalled && !this.isLatched) throw error;
    }
  }

  /** Makes everything that is committed part of a checkpoint, durably. @param withProof - see `writeCheckpoint`. */
  checkpoint(withProof = true): void {
    this.#usability.refuseInScan('make a checkpoint');
    this.#group.cover(() => this.#writer.checkpoint(withProof));
    // The journal began anew: what fails before the next operation has nothing to take back.
    if (!this.inTransaction) this.#mark = this.journal.mark;
  }

  /** Waits while a group has operations that were too many for a record: no rollback could replay them before a checkpoint has them. */
  async settled(): Promise<void> {
    while (this.journal.overflowed && !this.inTransaction && this.#group.hasWaiters) await this.#group.settled();
  }

  /** Goes on with what another engine has, which must not be used any more: its store has taken the place of this one's. */
  takeOver(other: Engine): void {
    this.disk = other.disk;
    this.core = other.core;
    this.log = other.log;
    this.space = other.space;
    other.events = this.events;
    this.stamp++;
  }

  /** Ends all use. What is on its way is finished first, and an open transaction rolled back. */
  close(): void {
    if (this.closed) return;
    this.#usability.refuseInScan('close the store');
    try {
      if (!this.isLatched && !this.#stalled) {
        if (this.inTransaction) this.rollback();
        if (this.journal.isOpen) this.#commit();
        this.disk.finishPending();
      }
    } finally {
      this.#usability.isClosed = true;
      this.stamp++;
    }
  }

  /** Does again what the journal has. */
  replay(): void {
    this.journal.forEachRun((from, to) => replayOperations(this, this.journal.slab, { from, to }));
  }

  #refuseUnlessRunning(action: string): void {
    if (!this.inTransaction) throw new StateError(`Cannot ${action}: no transaction was begun`);
  }

  /** The transaction ends; answers whether it has changed anything. */
  #endTransaction(): boolean {
    this.refuseReadOnly('commit');
    this.#refuseUnlessRunning('commit');
    this.inTransaction = false;
    return this.journal.overflowed || this.journal.mark > this.#mark;
  }

  /** A transaction begins. What a group has done before has to be there for a rollback, in the log or in a checkpoint. */
  #setMark(): void {
    if (this.journal.overflowed) this.checkpoint();
    this.#mark = this.journal.mark;
    this.backlog.begin();
  }

  #commit(): void {
    this.#group.cover(() => this.#writer.commit());
  }

  /** Goes back to the last commit: what is in no record is lost. */
  rollBackToCommitted(): void {
    this.#rollBackTo(undefined);
  }

  /** Back to the last checkpoint, then through what was committed since; up to `mark`, or without anything that is in no record. */
  #rollBackTo(mark: number | undefined): void {
    this.#usability.broken = undefined;
    if (mark === undefined) this.journal.rewindAll();
    else this.journal.rewind(mark);
    this.log.forgetSelection();
    this.#reopen();
    if (mark === undefined) this.#group.rejectAll(new StateError('Cannot commit: the transaction was rolled back'));
    else this.#foldCostly();
  }

  /** Opens the last checkpoint, and replays the journal. On a full host that may fail; then the next call tries again. */
  #reopen(): void {
    const { blockManager, recording, kept } = this.disk.parts;
    this.backlog.drop();
    this.#stalled = true;
    this.stamp++;
    try {
      blockManager.forgetDirty();
      recording.clear();
      this.core = StoreCore.open(blockManager, this.superblock, kept);
      this.space.reopened(this.core);
      this.replay();
      this.#stalled = false;
    } catch (error) {
      throw error instanceof NoSpaceError && blockManager.failure === undefined ? error : this.latch(error);
    }
  }

  /** After a rollback that had much to replay: makes the next one cheap. */
  #foldCostly(): void {
    if (this.disk.isPending || this.journal.isOpen || this.journal.usedBytes < COSTLY_REPLAY_BYTES) return;
    try {
      this.#writer.checkpoint(true);
    } catch (error) {
      // On a full host everything is as it was before.
      if (this.isLatched) throw error;
    }
  }

  /** Notes a failure that is final, and answers it. */
  latch(error: unknown): unknown {
    this.stamp++;
    this.disk.latch(error);
    this.#group.rejectAll(error);
    if (!this.#toldFailure) this.events.failure(error);
    this.#toldFailure = true;
    return error;
  }
}
