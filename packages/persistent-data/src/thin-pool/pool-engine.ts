import { NoSpaceError, PersistentDataError } from '../base/index.ts';
import type { ThinMetadata, ThinMetadataOptions } from '../thin/index.ts';
import { ClearAhead } from './clear-ahead.ts';
import { CommitGroup, type CommitOwner } from './commit-group.ts';
import { type DataDevice, PIECE_BYTES } from './data-device.ts';
import {
  DEFAULT_COMMIT_PERIOD_MS,
  DEFAULT_NO_SPACE_TIMEOUT_MS,
  type DiscardMode,
  type ThinPoolOptions,
} from './options.ts';
import { ModeState } from './pool-mode.ts';
import { Reclaim } from './reclaim.ts';
import type { VolumeState } from './volume-state.ts';
import { WaitList } from './wait-list.ts';
import { ZeroMap } from './zero-map.ts';

const SECTOR_BYTES = 512;
/** Metadata blocks that one change and the commit after it can take. The kernel's reserve is less where the device is shorter than 120 blocks. */
export const MIN_RESERVE = 12;

const OUT_OF_METADATA = 'no metadata blocks are free beyond the reserve';

/** Flushes the data of a pool for the commits of its metadata, except for the last one, after a failure: that one refers to no new data. */
class DataFlusher implements ThinMetadataOptions {
  isOff = false;
  readonly #data: DataDevice;
  readonly flushDataAsync?: () => Promise<void>;

  constructor(data: DataDevice) {
    this.#data = data;
    if (data.flushAsync) this.flushDataAsync = async () => (this.isOff ? undefined : data.flushAsync!());
  }

  readonly flushData = (): void => {
    if (!this.isOff) this.#data.flush();
  };
}

/**
 * What all requests to a pool share: data blocks to be had, commits, modes, the list of those who wait. It knows nothing of what volumes hold.
 */
export class PoolEngine implements CommitOwner {
  readonly metadata: ThinMetadata;
  readonly data: DataDevice;
  readonly blockBytes: number;
  readonly options: ThinPoolOptions;
  readonly discards: DiscardMode;
  readonly mode: ModeState;
  readonly commits: CommitGroup;
  readonly waits = new WaitList();
  readonly zeros = new ZeroMap();
  readonly volumes = new Map<number, VolumeState>();
  /** For copies of blocks, a piece at a time. */
  readonly scratch: Uint8Array;
  readonly #ahead: ClearAhead;
  readonly #reclaim: Reclaim;
  readonly #flusher: DataFlusher;
  /** Whether requests without data space fail, by option or since they waited too long. */
  #errorIfNoSpace: boolean;
  #isLowWaterTold = false;
  #noSpaceTimer: ReturnType<typeof setTimeout> | undefined;
  #commitTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setImmediate> | undefined;
  #isAborting = false;
  #mayHaveFreed = false;

  /** @param open - Opens or formats the metadata, with these options. */
  constructor(options: ThinPoolOptions, open: (options: ThinMetadataOptions) => ThinMetadata) {
    this.options = options;
    this.data = options.data;
    this.mode = new ModeState((event) => options.onEvent?.(event));
    this.#flusher = new DataFlusher(options.data);
    const { flushData, flushDataAsync } = this.#flusher;
    const { readOnly, cacheBlocks } = options;
    this.metadata = open({
      flushData,
      ...(flushDataAsync ? { flushDataAsync } : {}),
      ...(readOnly || options.data.readOnly ? { readOnly: true } : {}),
      ...(cacheBlocks === undefined ? {} : { cacheBlocks }),
    });
    this.blockBytes = this.metadata.dataBlockSizeSectors * SECTOR_BYTES;
    this.scratch = new Uint8Array(Math.min(PIECE_BYTES, this.blockBytes));
    const wanted = options.discards ?? 'passdown';
    this.discards = wanted === 'passdown' && !this.data.canPunchHoles ? 'no_passdown' : wanted;
    this.#errorIfNoSpace = options.errorIfNoSpace ?? false;
    this.commits = new CommitGroup(this);
    const { metadata, data, blockBytes, zeros } = this;
    this.#ahead = new ClearAhead({ metadata, data, blockBytes, zeros });
    this.#reclaim = new Reclaim({
      metadata,
      data,
      blockBytes,
      zeros,
      onReleased: () => this.#retry(),
    });
    this.noteZeros();
  }

  get errorIfNoSpace(): boolean {
    return this.#errorIfNoSpace;
  }

  /** Metadata blocks free for new work. */
  get freeMetadata(): number {
    const { metadata } = this;
    return Math.max(0, metadata.nrFreeMetadata - Math.max(0, MIN_RESERVE - metadata.core.spaceMap.reserve));
  }

  /** All blocks that are known to be empty, after the data device was opened or has grown. */
  noteZeros(): void {
    const { metadata, data, blockBytes } = this;
    // Only blocks that no opening has given out: those that were not there.
    const first = Math.ceil(data.zeroFrom / blockBytes);
    this.zeros.add(Math.max(first, this.#zerosNoted), metadata.nrDataBlocks);
    this.#zerosNoted = metadata.nrDataBlocks;
  }
  #zerosNoted = 0;

  /**
   * A data block for a request, of which it has the one reference; -1 when it has to wait.
   * @throws {NoSpaceError} when it is not to wait.
   */
  allocate(): number {
    const { metadata, mode } = this;
    mode.refuseUnlessChangeable('provision a block');
    if (mode.mode === 'out_of_data_space' && !this.#errorIfNoSpace) return -1;
    if (!this.lookForMetadata()) return -1;
    mode.refuseUnlessChangeable('provision a block');
    this.#tellLowWater();
    if (metadata.nrFreeData === 0 && !this.commits.now()) return -1;
    let block = this.#tryAllocate();
    if (block < 0) {
      // What is free was in use at the last commit: the next one gives it back.
      if (metadata.nrFreeData > 0 && !this.commits.now()) return -1;
      block = this.#tryAllocate();
    }
    if (block < 0) return this.#outOfData();
    return block;
  }

  /** Whether a block that was just allocated, and is not written yet, could be made to read as zeros without writing them. */
  clearAhead(block: number): boolean {
    return this.discards === 'passdown' && this.#ahead.clear(block);
  }

  /** Gives back a block that was allocated and is not to be used. */
  giveBack(block: number): void {
    this.change(() => this.metadata.decDataRange(block, block + 1));
  }

  /**
   * Looks for metadata space, by a commit where there is none: without success the pool goes into its mode for that. `false` when this can't be told before
   * a commit or a punching of holes, which keep blocks back, has ended: the request has to wait.
   */
  lookForMetadata(): boolean {
    if (this.freeMetadata > 0) return true;
    if (!this.commits.now()) return false;
    return this.freeMetadata > 0 || this.isOutOfMetadata();
  }

  /** A request needs more than there is, after a commit: the pool goes into its mode for that, unless blocks that are kept back may come. */
  isOutOfMetadata(): boolean {
    if (this.#reclaim.isUnderWay) return false;
    this.mode.enter('out_of_metadata_space', OUT_OF_METADATA);
    return true;
  }

  /** {@link lookForMetadata}, waiting for the answer. */
  async waitForMetadata(): Promise<void> {
    if (this.freeMetadata > 0) return;
    await this.commits.join(() => true);
    await this.#reclaim.settled();
    this.#tellOutOfMetadata();
  }

  /** Runs a change of the metadata; what breaks the transaction ends the pool's writing. */
  change<R>(change: () => R): R {
    try {
      const result = change();
      this.#armCommitTimer();
      return result;
    } catch (error) {
      const { tm, blockManager } = this.metadata.core;
      if (tm.broken !== undefined || blockManager.failure !== undefined) this.failed(error);
      throw error;
    }
  }

  /** Data blocks may become free with the next commit: their room can go back to the host then. */
  noteFreed(): void {
    this.#mayHaveFreed = true;
  }

  beforeCommit(): void {
    const isWanted = this.#mayHaveFreed && this.discards === 'passdown' && !this.#flusher.isOff;
    this.#mayHaveFreed = false;
    if (isWanted) this.#reclaim.beforeCommit();
  }

  afterCommit(): void {
    const { metadata, mode } = this;
    clearTimeout(this.#commitTimer);
    this.#commitTimer = undefined;
    this.#reclaim.afterCommit();
    this.#tellOutOfMetadata();
    if (mode.mode === 'out_of_data_space' && metadata.nrFreeData > 0) {
      this.leaveNoSpace();
    }
    if (metadata.changedThisTransaction) this.#armCommitTimer();
    this.#retry();
  }

  /** Goes back to normal: there is space again. */
  leaveNoSpace(): void {
    clearTimeout(this.#noSpaceTimer);
    this.#noSpaceTimer = undefined;
    this.#errorIfNoSpace = this.options.errorIfNoSpace ?? false;
    if (this.metadata.needsCheck) this.mode.enter('read_only', 'the pool needs a check (needs_check is set)');
    else this.mode.enter('write', 'there is space again');
  }

  /** The data device has grown: the low-water mark is watched anew. */
  rearmLowWater(): void {
    this.#isLowWaterTold = false;
  }

  /** Everything that was waiting for the data device or a commit has ended. */
  async settled(): Promise<void> {
    await this.commits.settled();
    await this.#reclaim.settled();
  }

  refuseFlush(): void {
    if (this.mode.failure !== undefined) this.mode.refuseUnlessWritable('flush');
    this.mode.refuseUnlessReadable('flush');
  }

  failed(error: unknown): unknown {
    const failure = error instanceof PersistentDataError ? error : new Error(String(error), { cause: error });
    this.stopTimers();
    const isDead = this.metadata.core.blockManager.failure !== undefined;
    this.mode.enter(isDead ? 'fail' : 'read_only', failure.message, failure);
    this.waits.reject(failure);
    if (!isDead && !this.#isAborting) this.#abort();
    return error;
  }

  /** Tries those who wait again, after what has come meanwhile: one of them has done a part that took long. */
  retrySoon(): void {
    this.waits.enough();
    this.#retryTimer ??= setImmediate(() => {
      this.#retryTimer = undefined;
      this.#retry();
    });
  }

  stopTimers(): void {
    clearTimeout(this.#commitTimer);
    clearTimeout(this.#noSpaceTimer);
    this.#commitTimer = undefined;
    this.#noSpaceTimer = undefined;
  }

  /** Back to the last commit, with the flag that says: check before you write. Not before a commit that is on its way has ended. */
  #abort(): void {
    this.#isAborting = true;
    if (!this.commits.isCommitting) {
      this.#rollBack();
      return;
    }
    // Never rejects: rolling back tells its failure by the mode.
    void this.commits.whenIdle(() => this.#rollBack());
  }

  #rollBack(): void {
    const { metadata } = this;
    this.#reclaim.drop();
    this.#flusher.isOff = true;
    try {
      metadata.rollback();
      for (const volume of this.volumes.values()) volume.cache.clear();
      if (metadata.readOnly) return;
      metadata.setNeedsCheck(true);
      metadata.commit();
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.mode.enter('fail', `the transaction could not be rolled back: ${failure.message}`, failure);
    }
  }

  #tellOutOfMetadata(): void {
    if (this.freeMetadata === 0) this.isOutOfMetadata();
  }

  #tryAllocate(): number {
    try {
      return this.change(() => this.metadata.allocateDataBlock());
    } catch (error) {
      if (error instanceof NoSpaceError && error.space === 'data' && this.mode.failure === undefined) return -1;
      throw error;
    }
  }

  #outOfData(): number {
    // Blocks that are given back to the host just now will do.
    if (this.#reclaim.isUnderWay) return -1;
    this.mode.enter('out_of_data_space', 'no data blocks are free');
    if (this.#errorIfNoSpace) {
      throw new NoSpaceError('Cannot provision a block: data space is used up, a longer data device is wanted', 'data');
    }
    const { noSpaceTimeoutMs = DEFAULT_NO_SPACE_TIMEOUT_MS } = this.options;
    if (noSpaceTimeoutMs > 0) this.#noSpaceTimer ??= setTimeout(() => this.#noSpaceTimeout(), noSpaceTimeoutMs);
    return -1;
  }

  #noSpaceTimeout(): void {
    this.#noSpaceTimer = undefined;
    if (this.mode.mode !== 'out_of_data_space') return;
    this.#errorIfNoSpace = true;
    this.options.onEvent?.({ event: 'no_space_timeout' });
    const error = new NoSpaceError('Cannot provision a block: no data space has come for too long', 'data');
    this.waits.reject(error, (request) => request.isProvision);
    this.#retry();
  }

  #tellLowWater(): void {
    const { nrFreeData } = this.metadata;
    if (this.#isLowWaterTold || nrFreeData > (this.options.lowWaterBlocks ?? 0)) return;
    this.#isLowWaterTold = true;
    this.options.onEvent?.({ event: 'data_low_water', freeBlocks: nrFreeData });
  }

  #retry(): void {
    if (!this.mode.isAtLeast('read_only')) this.waits.retry();
  }

  #armCommitTimer(): void {
    const { commitPeriodMs = DEFAULT_COMMIT_PERIOD_MS } = this.options;
    if (commitPeriodMs === 0 || this.#commitTimer !== undefined) return;
    this.#commitTimer = setTimeout(() => {
      this.#commitTimer = undefined;
      // Who failed is told by the mode, and by the next flush.
      this.commits.join(() => true).catch(() => undefined);
    }, commitPeriodMs);
    // A program that forgot to close its pool should end all the same.
    this.#commitTimer.unref?.();
  }
}
