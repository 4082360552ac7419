import { NoSpaceError } from '../base/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { ThinMetadata } from '../thin/index.ts';
import { expectSame, expectThat } from './expectation.ts';
import { ThinModel, type ThinModelOptions } from './thin-model.ts';
import type { ThinStep } from './thin-script.ts';

/** Steps that wait for a commit that is under way. */
const WAITING: ReadonlySet<ThinStep[0]> = new Set(['await', 'commit', 'commitAsync', 'hold', 'reopen', 'crash']);

/** How a {@link ThinPlayer} uses the pool. */
export interface ThinPlayerOptions extends ThinModelOptions {
  /** Cache of the metadata, in blocks. Default 64: small pools are written out and read again all the time. */
  readonly cacheBlocks?: number;
  /** Called with each pool that is opened or formatted: negative controls break it here. */
  readonly onOpen?: (metadata: ThinMetadata) => void;
}

/**
 * Plays scripts on thin metadata and on a model at once, and compares what both say. Knows which states a crash now may leave: see
 * {@link allowed}.
 */
export class ThinPlayer {
  readonly device: BlockDevice;
  readonly #options: ThinPlayerOptions;
  #metadata: ThinMetadata;
  #model: ThinModel;
  /** What a rollback goes back to. */
  #last: ThinModel;
  /** Descriptions of what was committed, in order; those behind `#acknowledged` are under way. */
  readonly #states: string[];
  /** The models of the states from the last acknowledged one on. */
  #candidates: ThinModel[];
  /** Data blocks in use in the last acknowledged commit, and in the one under way. */
  #keptData: Set<number>[];
  #acknowledged = 0;
  /** Whether the commit that is under way came to be one. */
  #underWay: Promise<boolean> | undefined;
  /** Writes of data so far, those that a flush of the data device covered, and those that the commit under way refers to. */
  readonly #data = { written: 0, flushed: 0, committed: 0 };
  nrRefused = 0;

  private constructor(device: BlockDevice, options: ThinPlayerOptions, metadata: ThinMetadata, model: ThinModel) {
    this.device = device;
    this.#options = options;
    this.#metadata = metadata;
    this.#model = model;
    this.#last = model.copy();
    this.#states = [model.describe()];
    this.#candidates = [this.#last];
    this.#keptData = [model.usedData()];
    options.onOpen?.(metadata);
  }

  /** Formats the device. */
  static format(device: BlockDevice, options: Omit<ThinPlayerOptions, 'nrMetadataBlocks'>): ThinPlayer {
    const { dataBlockSizeSectors, nrDataBlocks, cacheBlocks = 64 } = options;
    const metadata = ThinMetadata.format(device, { dataBlockSizeSectors, nrDataBlocks, cacheBlocks });
    metadata.close();
    return ThinPlayer.open(device, { ...options, nrMetadataBlocks: device.nrBlocks });
  }

  /** Opens an empty pool that was formatted with these options, or one that holds what `model` says. */
  static open(device: BlockDevice, options: ThinPlayerOptions, model = new ThinModel(options)): ThinPlayer {
    let player: ThinPlayer | undefined;
    const metadata = openPool(device, options, () => player?.noteDataFlush());
    player = new ThinPlayer(device, options, metadata, model);
    return player;
  }

  get metadata(): ThinMetadata {
    return this.#metadata;
  }

  get model(): ThinModel {
    return this.#model;
  }

  /** What the disk may hold after a crash now: the last commit that was acknowledged, or a later one. */
  get allowed(): readonly string[] {
    return this.#states.slice(this.#acknowledged);
  }

  /** All states that were ever committed, first the one at the beginning. */
  get states(): readonly string[] {
    return this.#states;
  }

  /** Index, in {@link states}, of the last commit that was acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  noteDataFlush(): void {
    this.#data.flushed = this.#data.written;
  }

  /**
   * Plays one step. Want of space is met as a pool does: what failed is undone, and a rollback follows where it broke the transaction.
   *
   * @returns A promise where the step has to wait for a commit that is under way; `undefined` when it is done. Whoever waits without need
   * lets a commit go on that is to stay under way.
   * @throws {ExpectationError} when the pool says something else than the model; also through the promise.
   * @throws {PersistentDataError} what the pool throws otherwise.
   */
  play(step: ThinStep): Promise<void> | undefined {
    if (this.#underWay !== undefined && WAITING.has(step[0])) return this.settle().then(() => this.#playNow(step));
    this.#playNow(step);
    return undefined;
  }

  /** Plays all steps, waits for what is under way, and compares all that the pool says with the model. */
  async playAll(script: readonly ThinStep[]): Promise<void> {
    for (const step of script) {
      const waiting = this.play(step);
      if (waiting !== undefined) await waiting;
    }
    await this.settle();
    this.compare();
  }

  /** Waits for a commit that is under way. */
  async settle(): Promise<void> {
    const underWay = this.#underWay;
    if (underWay === undefined) return;
    this.#underWay = undefined;
    if (await underWay) this.#acknowledge();
  }

  /**
   * Gets over an error that a step threw, on a device that works again: goes back to what the disk holds.
   *
   * @param state - What was found on the disk, one of {@link allowed}.
   * @param how - A rollback is for a pool that is neither closed nor latched.
   */
  async recover(state: string, how: 'rollback' | 'reopen'): Promise<void> {
    await this.settle().catch(() => undefined);
    const found = this.allowed.indexOf(state);
    expectThat(found >= 0, 'the disk holds a state that is allowed');
    this.#last = this.#candidates[found] as ThinModel;
    this.#states.splice(this.#acknowledged + found + 1);
    this.#candidates.splice(found + 1);
    this.#keptData.splice(found + 1);
    this.#acknowledge();
    if (how === 'rollback') this.#rollback();
    else this.#reopen();
  }

  /** Compares all that the pool says with the model. O(mappings). */
  compare(): void {
    const [metadata, model] = [this.#metadata, this.#model];
    expectSame(metadata.time, model.time, 'the time');
    expectSame(Number(metadata.transactionId), model.transactionId, 'the transaction id');
    const listed = metadata.devices();
    expectSame(listed.map(({ id }) => id).join(), model.ids.sort((a, b) => a - b).join(), 'the list of devices');
    for (const { id, mappedBlocks } of listed) {
      expectSame(mappedBlocks, model.nrMapped(id), `the number of blocks mapped in device ${id}`);
      const thin = metadata.openThin(id);
      let nrFound = 0;
      for (let begin = 0; ; ) {
        const run = thin.findMappedRange(begin, Number.MAX_SAFE_INTEGER);
        if (run === undefined) break;
        for (let block = run.begin; block < run.end; block++, nrFound++) {
          const wanted = model.find(id, block);
          expectSame(run.dataBegin + block - run.begin, wanted?.dataBlock, `data block of ${id}:${block}`);
          expectSame(run.maybeShared, wanted?.shared, `sharing of ${id}:${block}`);
        }
        begin = run.end;
      }
      expectSame(nrFound, model.nrMapped(id), `the number of mappings found in device ${id}`);
      thin.close();
    }
  }

  #playNow(step: ThinStep): void {
    const [last, nrStates] = [this.#last, this.#states.length];
    try {
      this.#step(step);
    } catch (error) {
      if (!(error instanceof NoSpaceError) || error.space === 'host') throw error;
      this.nrRefused += 1;
      // A commit that found no room is none.
      if (this.#states.length - 1 > this.#acknowledged && this.#states.length > nrStates) {
        this.#last = last;
        this.#states.pop();
        this.#candidates.pop();
        this.#keptData.pop();
      }
      // A pool that could not commit is closed all the same.
      if (step[0] === 'reopen') this.#reopen();
      else if (this.#metadata.core.tm.broken !== undefined) this.#rollback();
    }
  }

  #step(step: ThinStep): void {
    switch (step[0]) {
      case 'await':
        return;
      case 'commit':
        this.#beginCommit();
        this.#metadata.commit();
        this.#endCommit();
        return;
      case 'commitAsync':
        this.#commitAsync();
        return;
      case 'rollback':
        this.#rollback();
        return;
      case 'hold':
        if (this.#model.isHeld) return;
        this.#beginCommit();
        this.#metadata.reserveMetadataSnapshot();
        this.#endCommit();
        this.#model.hold();
        return;
      case 'reopen':
        this.#beginCommit();
        this.#metadata.close();
        this.#endCommit();
        this.#reopen();
        return;
      case 'crash':
        this.#reopen();
        return;
      default:
        this.#change(step);
    }
  }

  #commitAsync(): void {
    this.#beginCommit();
    const underWay = this.#metadata.commitAsync();
    // Whoever waits for it meets the error; meanwhile it is not unhandled.
    underWay.catch(() => undefined);
    const { broken } = this.#metadata.core.tm;
    if (broken === undefined) {
      this.#underWay = underWay.then(() => true);
      this.#underWay.catch(() => undefined);
    } else {
      // It failed at once; the pool knows that no commit is under way only when the promise is settled.
      this.#underWay = underWay.then(
        () => true,
        () => false,
      );
      throw broken;
    }
  }

  #change(step: ThinStep): void {
    const [metadata, model] = [this.#metadata, this.#model];
    switch (step[0]) {
      case 'create':
        if (model.has(step[1])) return;
        metadata.createThin(step[1]);
        model.create(step[1]);
        return;
      case 'snapshot':
        if (model.has(step[1]) || !model.has(step[2])) return;
        metadata.createSnapshot({ snapshot: step[1], origin: step[2] });
        model.snapshot(step[1], step[2]);
        return;
      case 'delete':
        if (!model.has(step[1])) return;
        metadata.deleteThin(step[1]);
        model.delete(step[1]);
        return;
      case 'write':
      case 'overwrite': {
        const [verb, id, ...blocks] = step as [string, number, ...number[]];
        if (model.has(id)) this.#write(id, blocks, verb === 'overwrite');
        return;
      }
      case 'writeRun': {
        const [, id, begin, count] = step;
        const blocks = Array.from({ length: count }, (_, i) => begin + i);
        if (model.has(id)) this.#write(id, blocks, false);
        return;
      }
      case 'discard':
        if (model.has(step[1])) this.#discard(step[1], step[2], step[3]);
        return;
      case 'transactionId':
        metadata.setTransactionId({ expected: model.transactionId, next: step[1] });
        model.transactionId = step[1];
        return;
      case 'needsCheck':
        metadata.setNeedsCheck(step[1] === 1);
        model.flags = step[1];
        return;
      case 'release':
        if (!model.isHeld) return;
        metadata.releaseMetadataSnapshot();
        model.release();
        return;
      case 'growData':
      case 'shrinkData':
        if (step[0] === 'growData' ? step[1] <= model.nrDataBlocks : step[1] >= model.nrDataBlocks) return;
        metadata.resizeData(step[1]);
        model.nrDataBlocks = step[1];
        return;
      case 'growMetadata':
      case 'shrinkMetadata':
        if (step[0] === 'growMetadata' ? step[1] <= model.nrMetadataBlocks : step[1] >= model.nrMetadataBlocks) return;
        if (step[1] < 1) return;
        metadata.resizeMetadata(step[1]);
        model.nrMetadataBlocks = step[1];
    }
  }

  #write(id: number, blocks: readonly number[], always: boolean): void {
    const [metadata, model] = [this.#metadata, this.#model];
    const thin = metadata.openThin(id);
    try {
      for (const block of blocks) {
        const wanted = model.find(id, block);
        const found = thin.find(block);
        expectSame(found?.dataBlock, wanted?.dataBlock, `data block of ${id}:${block}`);
        expectSame(found?.shared, wanted?.shared, `sharing of ${id}:${block}`);
        if (found !== undefined && !found.shared && !always) continue;
        const dataBlock = metadata.allocateDataBlock();
        this.#checkFresh(dataBlock);
        this.#data.written += 1;
        try {
          thin.insert(block, dataBlock);
        } catch (error) {
          if (metadata.core.tm.broken === undefined) metadata.decDataRange(dataBlock, dataBlock + 1);
          throw error;
        }
        model.insert(id, block, dataBlock);
      }
    } finally {
      thin.close();
    }
  }

  #checkFresh(dataBlock: number): void {
    const { nrDataBlocks } = this.#model;
    expectThat(dataBlock < nrDataBlocks, `data block ${dataBlock} was allocated, there are ${nrDataBlocks}`);
    for (const used of [this.#model.usedData(), ...this.#keptData]) {
      expectThat(!used.has(dataBlock), `data block ${dataBlock} was allocated, and a commit or the pool still uses it`);
    }
  }

  #discard(id: number, begin: number, end: number): void {
    const thin = this.#metadata.openThin(id);
    try {
      const removed = thin.removeRange(begin, end);
      expectSame(removed, this.#model.removeRange(id, begin, end), 'the number of blocks discarded');
    } finally {
      thin.close();
    }
  }

  #beginCommit(): void {
    this.#data.committed = this.#data.written;
    this.#last = this.#model.copy();
    this.#states.push(this.#last.describe());
    this.#candidates.push(this.#last);
    this.#keptData.push(this.#last.usedData());
  }

  #endCommit(): void {
    this.#acknowledge();
    const { nrFreeData } = this.#metadata;
    const wanted = this.#model.nrDataBlocks - this.#model.usedData().size;
    expectSame(nrFreeData, wanted, 'the number of free data blocks');
    expectSame(this.#metadata.core.blockManager.nrLocked, 0, 'the number of blocks locked');
  }

  #acknowledge(): void {
    const { flushed, committed } = this.#data;
    expectThat(flushed >= committed, 'a commit was acknowledged before the data device was flushed');
    this.#acknowledged = this.#states.length - 1;
    this.#keptData = this.#keptData.slice(-1);
    this.#candidates = this.#candidates.slice(-1);
  }

  #rollback(): void {
    this.#metadata.rollback();
    this.#model = this.#last.copy();
    this.#data.flushed = this.#data.written;
  }

  #reopen(): void {
    this.#model = this.#last.copy();
    this.#metadata = openPool(this.device, this.#options, () => this.noteDataFlush());
    this.#data.flushed = this.#data.written;
    this.#options.onOpen?.(this.#metadata);
  }
}

function openPool(device: BlockDevice, options: ThinPlayerOptions, flushData: () => void): ThinMetadata {
  return ThinMetadata.open(device, { cacheBlocks: options.cacheBlocks ?? 64, flushData });
}
