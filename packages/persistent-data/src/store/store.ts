import { type Finding, StateError, UnsupportedError } from '../base/index.ts';
import type { BlockManagerStatistics } from '../block-manager/index.ts';
import { STORE_SNAPSHOT_HIDDEN } from '../format/index.ts';
import { type BlockDevice, FileDevice, realFile, removeFile, replaceFile } from '../io/index.ts';
import { type BackupOptions, copyCheckpoint } from './backup.ts';
import { checkStore, type StoreCheckOptions } from './check.ts';
import { compactOnto } from './compact.ts';
import { HEAD, isHidden } from './core.ts';
import type { Engine } from './engine.ts';
import { Listeners, type StoreEvents } from './events.ts';
import { foldStore } from './fold.ts';
import { type OpenOptions, openEngine } from './open-store.ts';
import { makeNamedSnapshot, Snapshot } from './snapshot.ts';
import { StoreDiff } from './store-diff.ts';
import { StoreState } from './store-state.ts';
import { StoreView } from './store-view.ts';

export type StoreOptions = OpenOptions;

/** Counts and sizes of a store that is open. */
export interface StoreStatistics {
  /** Blocks of 4096 bytes: of the file, in use, and free. */
  readonly nrBlocks: number;
  readonly nrAllocated: number;
  readonly nrFree: number;
  /** Checkpoints so far, and bytes of journal since the last one. */
  readonly generation: number;
  readonly journalBytes: number;
  readonly journalBlocks: number;
  readonly cache: BlockManagerStatistics;
}

/**
 * Named trees in one crash-safe file, with transactions, snapshots and diffs.
 *
 * Everything is a plain call, except for the ones that end in `Async`. After a crash at any moment the store opens as it was after the last
 * commit that had returned, or a later one.
 *
 * @example
 * ```ts
 * const store = Store.open('inventory.pdata'); // makes it if it is not there
 * const stock = store.tree('stock', { keys: 2, value: { count: u32, price: u64 } });
 * store.transact(() => stock.set([7, 1001], { count: 3, price: 250 }));
 * store.close();
 * ```
 */
export class Store extends StoreState {
  readonly #engine: Engine;
  /** Of the file that was opened by its path: it holds the lock, also after {@link compact} has put another file in its place. */
  readonly #file: FileDevice | undefined;
  /** The file that took its place. */
  #compacted: FileDevice | undefined;
  readonly #options: StoreOptions;
  readonly #listeners: Listeners;
  readonly #views = new Set<StoreView>();
  #nrViews = 0;

  private constructor(engine: Engine, file: FileDevice | undefined, options: StoreOptions, listeners: Listeners) {
    super(engine);
    this.#engine = engine;
    this.#file = file;
    this.#options = options;
    this.#listeners = listeners;
  }

  /**
   * Opens the store in a file, or on a device that the caller keeps.
   *
   * @throws {StateError} when there is none and none is to be made.
   * @throws {LockedError} when another process has the file open for writing.
   * @throws {CorruptionError} when it is not believable. @throws {UnsupportedError} when it is of a kind that this library does not know.
   */
  static open(where: string | BlockDevice, options: StoreOptions = {}): Store {
    const { readOnly = false } = options;
    const create = options.create ?? !readOnly;
    const file = typeof where === 'string' ? FileDevice.open(where, readOnly ? { readOnly } : { create }) : undefined;
    const listeners = new Listeners();
    try {
      return new Store(openEngine(file ?? (where as BlockDevice), options, listeners), file, options, listeners);
    } catch (error) {
      file?.close();
      throw error;
    }
  }

  protected override branchId(): number {
    return HEAD;
  }

  /** The engine. For this layer's own use. */
  get engine(): Engine {
    return this.#engine;
  }

  /** The state that is neither a snapshot nor a view: the store itself. */
  get head(): StoreState {
    return this;
  }

  get readOnly(): boolean {
    return this.#engine.readOnly;
  }

  /** 32 hexadecimal digits that no other store has. */
  get uuid(): string {
    return this.#engine.superblock.uuid;
  }

  get statistics(): StoreStatistics {
    const { core, superblock, journal, disk } = this.#engine;
    const { nrBlocks, nrAllocated } = core.spaceMap.root;
    return {
      nrBlocks,
      nrAllocated,
      nrFree: nrBlocks - nrAllocated,
      generation: superblock.generation,
      journalBytes: journal.usedBytes,
      journalBlocks: superblock.journalBlocks,
      cache: disk.blockManager.statistics,
    };
  }

  /**
   * Does `change` as one transaction and makes it durable. When it throws, everything that it did is rolled back.
   *
   * @throws {TypeError} when it answers a promise: a transaction does not wait. It is rolled back then.
   */
  transact<R>(change: () => R): R {
    this.#refuseRunning();
    return this.#engine.inOneTransaction(() => refusePromise(change()));
  }

  /**
   * As {@link transact}: `change` is done at once, and the promise resolves when it is durable. Many callers at the same time share one write and
   * one flush.
   */
  async transactAsync<R>(change: () => R): Promise<R> {
    const engine = this.#engine;
    if (engine.journal.overflowed) await engine.settled();
    const result = engine.attempt(() => refusePromise(change()));
    await engine.commitAsync();
    return result;
  }

  /** Begins a transaction, which {@link commit}, {@link commitAsync} or {@link rollback} ends. @throws {StateError} when one is running. */
  begin(): void {
    this.#engine.begin();
  }

  /**
   * Makes the transaction durable: one write and one flush when it is small.
   * @throws {NoSpaceError} when the host is full; it is rolled back then. @throws {StateError} when none was begun.
   */
  commit(): void {
    this.#engine.commit();
  }

  /** As {@link commit}; resolves when it is durable. The next transaction may begin at once. */
  commitAsync(): Promise<void> {
    return this.#engine.commitAsync();
  }

  /** Throws away what was done since {@link begin}. */
  rollback(): void {
    this.#engine.rollback();
  }

  /** Makes a snapshot of the store as it is now. O(1). @throws {StateError} when there is one of this name. */
  snapshot(name: string): Snapshot {
    return makeNamedSnapshot(this.#engine, this, name);
  }

  /** All snapshots, oldest first. */
  snapshots(): Snapshot[] {
    this.#engine.refuseUnusable('list the snapshots');
    return [...this.#engine.core.listSnapshots()]
      .filter((record) => !isHidden(record))
      .map((record) => new Snapshot(this.#engine, record.id, record));
  }

  /** The snapshot of this name. @throws {StateError} when there is none. */
  getSnapshot(name: string): Snapshot {
    const engine = this.#engine;
    engine.refuseUnusable('find a snapshot');
    const { core } = engine;
    const id = core.findSnapshot(name);
    const record = id === undefined ? undefined : core.snapshots.lookup(core.snapshotsRoot, id);
    if (id === undefined || record === undefined || isHidden(record)) {
      throw new StateError(`Cannot find snapshot "${name}": there is none of this name`);
    }
    return new Snapshot(engine, id, record);
  }

  /**
   * The store as it is now, for reading, whatever is changed later. O(1); written to the disk only together with something else. It costs the
   * blocks that nothing else uses any more, until it is closed; the store's closing closes it.
   */
  view(): StoreView {
    const engine = this.#engine;
    if (engine.readOnly) return new StoreView(engine, HEAD, () => undefined);
    const name = `view ${++this.#nrViews}`;
    const id = this.makeSnapshot(name, { flags: STORE_SNAPSHOT_HIDDEN, lazy: true });
    const view = new StoreView(engine, id, () => this.#views.delete(view));
    this.#views.add(view);
    return view;
  }

  /**
   * Compares two states of this store: the head (`store.head`), snapshots, views.
   * @example
   * ```ts
   * for (const change of store.diff(before, store.head).tree('stock')) console.log(change);
   * ```
   */
  diff(before: StoreState, after: StoreState): StoreDiff {
    this.#engine.refuseUnusable('compare two states');
    return new StoreDiff(this.#engine, before, after);
  }

  /**
   * Checks all of the store, after making a checkpoint of it. Yields what is wrong, and goes on after that. Nothing must be changed meanwhile.
   * @throws {StateError} in a transaction.
   */
  *check(options: StoreCheckOptions = {}): Generator<Finding, void> {
    const engine = this.#engine;
    engine.refuseUnusable('check the store');
    if (engine.inTransaction) throw new StateError('Cannot check the store: a transaction is running, end it first');
    if (!engine.isFolded) engine.checkpoint();
    yield* checkStore(engine.disk.device, engine.superblock, options);
  }

  /**
   * Copies the store as it is now into a new file (or onto a device, whose content is lost), while it is used: others run whenever a piece has been
   * written. Journal and free blocks are not copied. Nothing is overwritten here meanwhile that has to be copied, so the file may grow.
   *
   * @throws {StateError} in a transaction; when the file exists; when the store is closed meanwhile.
   */
  async backup(where: string | BlockDevice, options: BackupOptions = {}): Promise<void> {
    const engine = this.#engine;
    engine.refuseUnusable('back up');
    if (engine.inTransaction) throw new StateError('Cannot back up: a transaction is running, end it first');
    if (!engine.isFolded) engine.checkpoint();
    const file = typeof where === 'string' ? FileDevice.open(where, { create: 'new' }) : undefined;
    const { version: held, release } = engine.space.hold();
    const { superblock } = engine;
    const { device } = engine.disk;
    const source = { device, superblock, held, refuseUnusable: () => engine.refuseUnusable('back up') };
    try {
      await copyCheckpoint(source, file ?? (where as BlockDevice), options);
    } catch (error) {
      file?.close();
      if (typeof where === 'string') removeFile(where);
      throw error;
    } finally {
      release();
      file?.close();
    }
  }

  /**
   * Writes everything anew into another file, with full nodes and without gaps, and puts that in the place of this one: atomically, so that a crash
   * leaves the one or the other. Handles and snapshots stay good. Takes as much room again on the host meanwhile.
   *
   * @returns Blocks of the file before and after.
   * @throws {UnsupportedError} when the store was opened on a device and not by a path.
   * @throws {StateError} in a transaction, or while views are open. @throws {NoSpaceError} when the host is full; nothing has changed then.
   */
  compact(): { readonly before: number; readonly after: number } {
    const engine = this.#engine;
    engine.refuseReadOnly('compact');
    if (engine.inTransaction) throw new StateError('Cannot compact: a transaction is running, end it first');
    if (this.#views.size > 0) throw new StateError('Cannot compact: a view is open, close it first');
    if (this.#file === undefined) throw new UnsupportedError('Cannot compact: the store was not opened by a path');
    engine.checkpoint();
    const before = engine.disk.device.nrBlocks;
    const path = realFile(this.#file.path);
    const scratch = `${path}.compact`;
    removeFile(scratch);
    const device = FileDevice.open(scratch, { create: 'new', exclusive: false });
    try {
      compactOnto(engine, device, this.#options, () => replaceFile({ from: scratch, to: path }));
    } catch (error) {
      device.close();
      removeFile(scratch);
      throw error;
    }
    this.#compacted?.close();
    this.#compacted = device;
    return { before, after: device.nrBlocks };
  }

  /** Calls back after each commit that is durable, when the file grows, or when a failure latches the store. Answers how to end that. */
  on<Name extends keyof StoreEvents>(name: Name, listener: StoreEvents[Name]): () => void {
    return this.#listeners.add(name, listener);
  }

  /**
   * Ends all use: rolls back a transaction that was begun and not ended, folds the journal in, cuts free space off the end of the file, and gives
   * the file back. A device stays open: it is its opener's. Idempotent.
   */
  close(): void {
    const engine = this.#engine;
    if (engine.closed) return;
    engine.refuseInScan('close the store');
    try {
      if (!engine.isLatched && !engine.isStalled && !engine.readOnly) this.#tidy();
      engine.close();
    } finally {
      this.#compacted?.close();
      this.#file?.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refuseRunning(): void {
    if (this.#engine.inTransaction) throw new StateError('Cannot begin a transaction: one is running, end it first');
  }

  #tidy(): void {
    const engine = this.#engine;
    if (engine.inTransaction) engine.rollback();
    for (const view of [...this.#views]) view.close();
    foldStore(engine);
  }
}

/** @throws {TypeError} when a transaction answered a promise. */
function refusePromise<R>(result: R): R {
  if (typeof (result as { then?: unknown } | undefined | null)?.then !== 'function') return result;
  throw new TypeError('Cannot commit: the transaction answered a promise; do what waits before it');
}
