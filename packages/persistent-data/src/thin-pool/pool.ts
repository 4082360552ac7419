import { StateError, type U64 } from '../base/index.ts';
import { type ListedDevice, ThinMetadata } from '../thin/index.ts';
import type { ReadableData } from './data-device.ts';
import { parseMessage } from './message.ts';
import { DEFAULT_MAPPING_SLOTS, type ThinPoolFormatOptions, type ThinPoolOptions } from './options.ts';
import { PoolChanges } from './pool-changes.ts';
import { MIN_RESERVE, PoolEngine } from './pool-engine.ts';
import { formatPoolStatus, metadataLowWater, type PoolStatus, poolStatus } from './pool-status.ts';
import { checkSize, ThinVolume } from './volume.ts';
import { VolumeState } from './volume-state.ts';

const SECTOR_BYTES = 512;
const DEFAULT_BLOCK_SECTORS = 128;

/** How to open a volume. Its size is the caller's to know: the metadata does not. */
export interface ThinVolumeOptions {
  /** A multiple of 512. */
  readonly sizeBytes: number;
  /** What unmapped blocks show; zeros beyond its end. It must not change. Default: zeros. */
  readonly origin?: ReadableData;
  /** Default: false. */
  readonly readOnly?: boolean;
}

/**
 * A thin pool: volumes that take room when they are written, snapshots of them in O(1), snapshots of those. The same files open in Linux.
 *
 * @example
 * ```ts
 * const pool = ThinPool.create({ metadata, data });
 * await pool.createThin(0);
 * const volume = pool.thin(0, { sizeBytes: 2 ** 30 });
 * volume.write(4096, bytes);
 * await volume.flush();
 * await pool.createSnapshot({ snapshot: 1, origin: 0 });
 * await pool.close();
 * ```
 */
export class ThinPool {
  readonly #engine: PoolEngine;
  #isClosed = false;

  private constructor(engine: PoolEngine) {
    this.#engine = engine;
    const { metadata, mode } = engine;
    if (metadata.readOnly) mode.enter('read_only', 'opened read-only');
    else if (metadata.needsCheck) mode.enter('read_only', 'the pool needs a check (needs_check is set)');
    if (!metadata.readOnly) this.#watchMetadata();
  }

  /**
   * Makes an empty pool. What the metadata device holds is lost.
   * @throws {NoSpaceError} when it is too small.
   */
  static create(options: ThinPoolFormatOptions): ThinPool {
    const { metadata, data, dataBlockSizeSectors = DEFAULT_BLOCK_SECTORS } = options;
    const nrDataBlocks = Math.floor(data.sizeBytes / (dataBlockSizeSectors * SECTOR_BYTES));
    return new ThinPool(
      new PoolEngine(options, (others) =>
        ThinMetadata.format(metadata, { ...others, dataBlockSizeSectors, nrDataBlocks }),
      ),
    );
  }

  /**
   * Opens a pool, and takes into use what its devices have grown. A pool that needs a check is opened read-only.
   * @throws {CorruptionError} when the superblock is not believable.
   * @throws {StateError} when a device is shorter than the metadata says.
   */
  static open(options: ThinPoolOptions): ThinPool {
    const pool = new ThinPool(new PoolEngine(options, (others) => ThinMetadata.open(options.metadata, others)));
    pool.#grow();
    return pool;
  }

  /** Data blocks come in this size. */
  get blockBytes(): number {
    return this.#engine.blockBytes;
  }

  get transactionId(): U64 {
    return this.#engine.metadata.transactionId;
  }

  /** What the pool is like now. Costs nothing. */
  get info(): PoolStatus {
    return poolStatus(this.#engine);
  }

  /** The metadata, for tools that only read. */
  get metadata(): ThinMetadata {
    return this.#engine.metadata;
  }

  /** All volumes, by id. */
  devices(): ListedDevice[] {
    this.#refuseClosed('list volumes');
    return this.#engine.metadata.devices();
  }

  /** Opens a volume; once. @throws {StateError} when it is open or not there. */
  thin(id: number, options: ThinVolumeOptions): ThinVolume {
    this.#refuseClosed(`open thin volume ${id}`);
    checkSize(options.sizeBytes);
    const engine = this.#engine;
    engine.mode.refuseUnlessReadable(`open thin volume ${id}`);
    if (engine.volumes.has(id)) throw new StateError(`Cannot open thin volume ${id}: it is open`);
    const { blockBytes } = engine;
    const { mappingCacheSlots: nrSlots = DEFAULT_MAPPING_SLOTS } = engine.options;
    const state = new VolumeState(engine.metadata.openThin(id), { ...options, blockBytes, nrSlots });
    engine.volumes.set(id, state);
    return new ThinVolume(engine, state);
  }

  /** Makes an empty volume; it is there for good when this resolves. @throws {StateError} when the id is taken. */
  async createThin(id: number): Promise<void> {
    await this.#single((changes) => changes.createThin(id));
  }

  /** Makes a volume with everything that another one, which may be open, holds at this moment. O(1), and a commit. */
  async createSnapshot(options: { readonly snapshot: number; readonly origin: number }): Promise<void> {
    await this.#single((changes) => changes.createSnapshot(options));
  }

  /** Deletes a volume that is not open. */
  async deleteThin(id: number): Promise<void> {
    await this.#single((changes) => changes.deleteThin(id));
  }

  /** Gives a volume, which may be open, the content of a snapshot, which stays. */
  async rollbackThin(options: { readonly thin: number; readonly snapshot: number }): Promise<void> {
    await this.change((changes) => changes.rollbackThin(options));
  }

  /** Gives a volume, which may be open, the content of a snapshot, which goes. */
  async mergeSnapshot(options: { readonly snapshot: number; readonly origin: number }): Promise<void> {
    await this.change((changes) => changes.mergeSnapshot(options));
  }

  /** Sets the volume manager's own count. @throws {StateError} when it is not `expected`. */
  async setTransactionId(options: { readonly expected: U64; readonly next: U64 }): Promise<void> {
    await this.#single((changes) => changes.setTransactionId(options));
  }

  /**
   * Makes several changes in one commit: after a crash all of them are there, or none. What was written before is committed first, so that a change that
   * fails takes nothing else with it. Resolves when they are durable.
   */
  async change<R>(make: (changes: PoolChanges) => R): Promise<R> {
    const engine = this.#engine;
    await engine.waitForMetadata();
    const result = await engine.commits.whenIdle(() => {
      this.#refuseUnchangeable('change the pool');
      engine.commits.now();
      try {
        return make(new PoolChanges(engine));
      } catch (error) {
        if (engine.mode.failure === undefined) this.#undo();
        throw error;
      }
    });
    await engine.commits.join(() => true);
    return result;
  }

  /** Commits, makes a metadata snapshot, commits: readers beside the pool can read it. @throws {StateError} when there is one. */
  async reserveMetadataSnapshot(): Promise<void> {
    const { commits, metadata } = this.#engine;
    await this.#engine.waitForMetadata();
    await commits.whenIdle(() => {
      this.#refuseUnchangeable('reserve a metadata snapshot');
      commits.now();
      this.#engine.change(() => metadata.reserveMetadataSnapshot());
    });
    await commits.join(() => true);
  }

  /** Gives the metadata snapshot up. @throws {StateError} when there is none. */
  async releaseMetadataSnapshot(): Promise<void> {
    this.#refuseUnchangeable('release the metadata snapshot');
    this.#engine.noteFreed();
    this.#engine.change(() => this.#engine.metadata.releaseMetadataSnapshot());
    await this.#engine.commits.join(() => true);
  }

  /** Does what a message to the kernel's target asks for, such as `create_snap 1 0`, and commits. @throws {ParseError} */
  async message(text: string): Promise<void> {
    const message = parseMessage(text);
    switch (message.do) {
      case 'create_thin':
        return this.createThin(message.id);
      case 'create_snap':
        return this.createSnapshot({ snapshot: message.id, origin: message.origin });
      case 'delete':
        return this.deleteThin(message.id);
      case 'set_transaction_id':
        return this.setTransactionId(message);
      case 'reserve_metadata_snap':
        return this.reserveMetadataSnapshot();
      case 'release_metadata_snap':
        return this.releaseMetadataSnapshot();
    }
  }

  /** The kernel's status line of a pool. Commits first, unless told not to. */
  async status({ noflush = false }: { readonly noflush?: boolean } = {}): Promise<string> {
    this.#refuseClosed('tell the status');
    if (!noflush && !this.#engine.mode.isAtLeast('out_of_metadata_space')) await this.flush();
    return formatPoolStatus(this.info);
  }

  /** Makes everything durable that was answered before, of all volumes. */
  async flush(): Promise<void> {
    this.#refuseClosed('flush');
    await this.#engine.commits.join(() => true);
  }

  /** Lengthens the data device, if it is shorter, and takes all of it into use; requests that waited for it go on. */
  async resizeData(sizeBytes: number): Promise<void> {
    this.#refuseUnchangeable('resize the data device');
    const { data } = this.#engine;
    if (sizeBytes > data.sizeBytes) {
      if (data.resize === undefined) throw new StateError('Cannot resize the data device: its length is fixed');
      data.resize(sizeBytes);
    }
    await this.grow();
  }

  /** Lengthens the metadata device, if it is shorter, and takes all of it into use. In 4096-byte blocks. */
  async resizeMetadata(nrBlocks: number): Promise<void> {
    const engine = this.#engine;
    this.#refuseClosed('resize the metadata device');
    engine.mode.refuseUnlessWritable('resize the metadata device');
    const { metadata } = engine.options;
    engine.change(() => engine.metadata.resizeMetadata(Math.max(nrBlocks, metadata.nrBlocks)));
    if (engine.mode.mode === 'out_of_metadata_space') engine.leaveNoSpace();
    await engine.commits.join(() => true);
    this.#watchMetadata();
  }

  /** Takes into use what both devices have grown since, in one commit. The low-water mark is watched anew. */
  async grow(): Promise<void> {
    const engine = this.#engine;
    this.#refuseClosed('grow');
    engine.mode.refuseUnlessWritable('grow');
    this.#extend();
    engine.rearmLowWater();
    await engine.commits.join(() => true);
    engine.noteZeros();
    this.#watchMetadata();
  }

  /** Commits, closes all volumes and the pool. The devices stay open: they are their opener's. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    const engine = this.#engine;
    this.#isClosed = true;
    engine.stopTimers();
    engine.waits.reject(new StateError('Cannot go on: the pool was closed'));
    // From now on nobody asks for anything.
    for (const volume of engine.volumes.values()) volume.isClosed = true;
    try {
      await engine.settled();
      if (!engine.mode.isAtLeast('read_only')) {
        await engine.commits.join(() => true);
        await engine.settled();
      }
    } finally {
      for (const volume of engine.volumes.values()) volume.thin.close();
      engine.volumes.clear();
      engine.stopTimers();
      engine.metadata.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A change that does nothing when it throws. */
  async #single(make: (changes: PoolChanges) => void): Promise<void> {
    const engine = this.#engine;
    this.#refuseUnchangeable('change the pool');
    // Where there is space at this moment, and not a turn later.
    if (engine.freeMetadata === 0) await engine.waitForMetadata();
    this.#refuseUnchangeable('change the pool');
    make(new PoolChanges(engine));
    await engine.commits.join(() => true);
  }

  /** Takes back what a failed change has done. Everything else was committed before. */
  #undo(): void {
    const engine = this.#engine;
    engine.metadata.rollback();
    for (const volume of engine.volumes.values()) {
      volume.cache.clear();
      volume.thin.close();
      volume.thin = engine.metadata.openThin(volume.id);
    }
  }

  #grow(): void {
    const engine = this.#engine;
    const { metadata, data, blockBytes, options } = engine;
    const nrData = Math.floor(data.sizeBytes / blockBytes);
    refuseShorter('data', nrData, metadata.nrDataBlocks);
    refuseShorter('metadata', options.metadata.nrBlocks, metadata.nrMetadataBlocks);
    if (engine.mode.isAtLeast('read_only')) return;
    this.#extend();
    engine.commits.now();
    engine.noteZeros();
    this.#watchMetadata();
  }

  /** Data first, then metadata, as the kernel does; the commit is the caller's. */
  #extend(): void {
    const engine = this.#engine;
    const { metadata, data, blockBytes, options } = engine;
    const nrData = Math.floor(data.sizeBytes / blockBytes);
    if (nrData > metadata.nrDataBlocks) engine.change(() => metadata.resizeData(nrData));
    const { nrBlocks } = options.metadata;
    if (nrBlocks <= metadata.nrMetadataBlocks) return;
    engine.change(() => metadata.resizeMetadata(nrBlocks));
    if (engine.mode.mode === 'out_of_metadata_space') engine.leaveNoSpace();
  }

  #watchMetadata(): void {
    const { metadata, options } = this.#engine;
    // In time also where a quarter is no more than what is kept back.
    const mark = Math.max(metadataLowWater(metadata.nrMetadataBlocks), MIN_RESERVE + 6);
    metadata.registerMetadataThreshold(mark, () => {
      options.onEvent?.({ event: 'metadata_low_water', freeBlocks: metadata.nrFreeMetadata });
    });
  }

  #refuseClosed(action: string): void {
    if (this.#isClosed) throw new StateError(`Cannot ${action}: the pool is closed`);
  }

  #refuseUnchangeable(action: string): void {
    this.#refuseClosed(action);
    this.#engine.mode.refuseUnlessChangeable(action);
  }
}

function refuseShorter(device: string, found: number, wanted: number): void {
  if (found >= wanted) return;
  throw new StateError(
    `Cannot open pool: the ${device} device has ${found} blocks, ${wanted} are wanted; it would be shrunk`,
  );
}
