import { StateError } from '../base/index.ts';
import { Bitset } from '../bitset/index.ts';
import { BlockManager, type BlockManagerStatistics } from '../block-manager/index.ts';
import { METADATA_BLOCK_SECTORS } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { Digestion } from './digestion.ts';
import { type CurrentWriteset, EraCore, longEnough } from './era-core.ts';
import { MarkedBlocks } from './marked-blocks.ts';
import { dropSnapshot, takeSnapshot } from './metadata-snapshot.ts';
import { isEraBlockSize, MAX_NR_BLOCKS, refuseUnsupported } from './superblock.ts';
import type { Writeset } from './writeset.ts';

export interface EraMetadataOptions {
  /** Cache, in 4096-byte blocks. Default 16384 (64 MiB). */
  readonly cacheBlocks?: number;
  /** Opens for reading only. Default: what the device says. */
  readonly readOnly?: boolean;
}

export interface EraFormatOptions extends EraMetadataOptions {
  /** The granularity, in 512-byte sectors: a multiple of 8 above 0. Fixed for ever. */
  readonly blockSizeSectors: number;
}

type ArchivedWriteset = readonly [era: number, writeset: Writeset, bits: Bitset];

/**
 * The metadata of an era device: which blocks of an origin were written since when. It moves no data and knows no origin.
 *
 * As in the kernel's target, a device that was formatted or opened is first {@link resume}d over an origin of so many blocks. Before a block is
 * written, {@link markWritten} makes its mark durable; what {@link isMarked} says yes to may be written at once. {@link checkpoint} begins a new
 * era; {@link digest} moves old writesets into the era array; {@link suspend} ends cleanly.
 *
 * Marks, eras, snapshots and sizes are durable when the method that makes them returns; digestion is with the next {@link commit}. When a
 * change throws half-way, every further call fails until {@link rollback}; when the device fails, until it is opened again. Operations place
 * every byte as the Linux kernel does.
 *
 * @example
 * ```ts
 * const era = EraMetadata.format(device, { blockSizeSectors: 128 });
 * era.resume(1024);
 * era.markWritten([17]);        // now block 17 may be written
 * const since = era.checkpoint();
 * era.markWritten([4, 5]);
 * era.eraOf(17) < since;        // true: not written since
 * ```
 */
export class EraMetadata {
  readonly #device: BlockDevice;
  readonly #blockManager: BlockManager;
  #core: EraCore;
  /** Blocks whose marks in the current writeset are durable. */
  #marked = new MarkedBlocks(0);
  #digestion: Digestion | undefined;
  /** As of a version of the transaction manager. */
  #listed:
    | { readonly tm: TransactionManager; readonly version: number; readonly writesets: readonly ArchivedWriteset[] }
    | undefined;
  #changed = false;
  #closed = false;

  private constructor(device: BlockDevice, core: EraCore) {
    this.#device = device;
    this.#blockManager = core.blockManager;
    this.#core = core;
  }

  /** Makes an era device without blocks on `device`, whose content is lost. One commit. @throws {NoSpaceError} when it is too small. */
  static format(device: BlockDevice, options: EraFormatOptions): EraMetadata {
    const { blockSizeSectors } = options;
    if (!isEraBlockSize(blockSizeSectors)) {
      const found = `the block size is ${blockSizeSectors} sectors`;
      throw new RangeError(`Cannot format era metadata: ${found}, a multiple of 8 above 0 is wanted`);
    }
    const core = EraCore.format(new BlockManager(device, options), blockSizeSectors);
    core.commitFormat();
    return new EraMetadata(device, core);
  }

  /**
   * Opens an era device. The writeset of an era that a crash ended is taken over: it stays the current one.
   * @throws {CorruptionError} when the superblock or what it refers to directly is not believable.
   * @throws {UnsupportedError} when its version or a size is none that is known.
   */
  static open(device: BlockDevice, options: EraMetadataOptions = {}): EraMetadata {
    const blockManager = new BlockManager(device, options);
    const superblock = EraCore.readSuperblock(blockManager);
    refuseUnsupported(superblock);
    return new EraMetadata(device, EraCore.open(blockManager, superblock));
  }

  /** The device that the metadata is on. What can be read there is the last commit. */
  get device(): BlockDevice {
    return this.#device;
  }

  get readOnly(): boolean {
    return this.#blockManager.readOnly;
  }

  /** The granularity, in 512-byte sectors. */
  get blockSizeSectors(): number {
    return this.#core.dataBlockSizeSectors;
  }

  /** Blocks of the origin that are tracked. */
  get nrBlocks(): number {
    return this.#core.nrBlocks;
  }

  get currentEra(): number {
    return this.#core.currentEra;
  }

  /** Whether blocks can be marked: an era has begun and has not been suspended. */
  get hasCurrentWriteset(): boolean {
    return this.#core.current !== undefined;
  }

  /** Block of the metadata snapshot's superblock, or 0. */
  get metadataSnapshot(): number {
    return this.#core.metadataSnap;
  }

  get nrMetadataBlocks(): number {
    return this.#core.spaceMap.nrBlocks;
  }

  /** Metadata blocks free for new work: without the reserve that commits and digestion may use. */
  get nrFreeMetadata(): number {
    return this.#core.spaceMap.nrFreeForWork;
  }

  get statistics(): BlockManagerStatistics {
    return this.#blockManager.statistics;
  }

  /** Whether anything was changed since the last commit. */
  get changedThisTransaction(): boolean {
    return this.#changed;
  }

  /** The status line of the kernel's target: block size, used and all metadata blocks, current era, metadata snapshot. */
  status(): string {
    const { spaceMap, currentEra, metadataSnap } = this.#core;
    const used = `${spaceMap.nrBlocks - spaceMap.nrFree}/${spaceMap.nrBlocks}`;
    return `${METADATA_BLOCK_SECTORS} ${used} ${currentEra} ${metadataSnap === 0 ? '-' : metadataSnap}`;
  }

  /**
   * Begins work over an origin of that many blocks: changes the size where it is another one, and begins an era. Blocks that are new were never
   * written. Two commits, as the kernel does.
   */
  resume(nrBlocks: number): void {
    if (!(Number.isInteger(nrBlocks) && nrBlocks >= 0 && nrBlocks <= MAX_NR_BLOCKS)) {
      throw new RangeError(`Cannot resume: found ${nrBlocks} blocks, an integer from 0 to ${MAX_NR_BLOCKS} is wanted`);
    }
    this.#change(`resume with ${nrBlocks} blocks`, (core) => {
      const perBlock = core.eras.perBlock;
      const growth = Math.max(0, Math.ceil(nrBlocks / perBlock) - Math.ceil(core.nrBlocks / perBlock));
      core.refuseIfOutOfMetadata(`resume with ${nrBlocks} blocks`, 1 + growth);
      core.eraArrayRoot = core.eras.resize(core.eraArrayRoot, core.nrBlocks, nrBlocks, 0);
      core.nrBlocks = nrBlocks;
      this.#commit();
      this.#rollOver();
    });
  }

  /** Begins a new era, and answers it: what is marked from now on is of that era or a later one. */
  checkpoint(): number {
    return this.#change('begin an era', (core) => {
      this.#rollOver();
      return core.currentEra;
    });
  }

  /** Whether a block's mark in the current era is durable already, so that the block may be written at once. O(1), in core. */
  isMarked(block: number): boolean {
    return this.#marked.has(block);
  }

  /**
   * Marks blocks as written in the current era, and makes that durable: one commit, where a mark is new. Write the blocks after it returns, and
   * not at all where it throws.
   *
   * @throws {StateError} when no era has begun.
   * @throws {RangeError} when a block is not of the origin; then nothing is marked.
   */
  markWritten(blocks: Iterable<number>): void {
    const wanted = [...blocks];
    this.#refuseUnusable('mark blocks');
    const { nrBlocks } = this.#core;
    const outside = wanted.find((b) => !(Number.isInteger(b) && b >= 0 && b < nrBlocks));
    if (outside !== undefined) {
      throw new RangeError(`Cannot mark block ${outside}: an integer from 0 to below ${nrBlocks} is wanted`);
    }
    const fresh = wanted.filter((b) => !this.#marked.has(b));
    if (fresh.length === 0) return;
    this.#change('mark blocks', (core) => this.#mark(core, fresh));
  }

  /** The era of a block: in which it was last marked. 0: never. Looks into each archived writeset. */
  eraOf(block: number): number {
    const core = this.#core;
    this.#refuseUnusable('look up an era');
    if (!(Number.isInteger(block) && block >= 0 && block < core.nrBlocks)) {
      throw new RangeError(`Cannot look up block ${block}: an integer from 0 to below ${core.nrBlocks} is wanted`);
    }
    const { current } = core;
    if (current !== undefined && block < current.nrBits && this.#testCurrent(current, block)) return core.currentEra;
    for (const [era, writeset, bits] of this.#archived()) {
      if (block >= writeset.nrBits) continue;
      if (longEnough(core, era, writeset, () => bits.test(block))) return era;
    }
    return core.digestedEraOf(block);
  }

  /** Eras whose writesets are not digested yet, the oldest first. */
  archivedEras(): number[] {
    this.#refuseUnusable('list writesets');
    return this.#archived()
      .map(([era]) => era)
      .reverse();
  }

  /** Does a little of the digestion: 100 bits of the oldest writeset. Answers whether there was something to do. */
  digestStep(): boolean {
    this.#refuseUnusable('digest');
    const core = this.#core;
    if (this.#digestion === undefined && core.writesets.lookupNext(core.writesetTreeRoot, 0) === undefined)
      return false;
    return this.#change('digest', () => {
      this.#digestion ??= Digestion.ofOldest(core);
      if (this.#digestion?.step() !== false) this.#digestion = undefined;
      return true;
    });
  }

  /** Digests all archived writesets. Durable with the next commit. */
  digest(): void {
    while (this.digestStep());
  }

  /**
   * Begins a new era, then makes a metadata snapshot of all before it, which others may read while the device is in use.
   * @returns The block of the snapshot's superblock.
   * @throws {StateError} when there is one.
   */
  takeMetadataSnapshot(): number {
    return this.#change('take a metadata snapshot', (core) => {
      if (core.metadataSnap !== 0)
        throw new StateError(`Cannot take a metadata snapshot: there is one, at block ${core.metadataSnap}`);
      this.#rollOver();
      takeSnapshot(core);
      this.#commit();
      return core.metadataSnap;
    });
  }

  /** Gives the metadata snapshot up. @throws {StateError} when there is none. */
  dropMetadataSnapshot(): void {
    this.#change('drop the metadata snapshot', (core) => {
      dropSnapshot(core);
      this.#commit();
    });
  }

  /** Ends work cleanly: archives the current writeset and commits. All writes are over. {@link resume} goes on. */
  suspend(): void {
    this.#change('suspend', (core) => {
      core.archive();
      this.#commit();
    });
  }

  /** Takes more of the metadata device into use, after lengthening it where it can be. Durable with the next commit. */
  growMetadata(nrBlocks: number): void {
    this.#change(`grow the metadata space to ${nrBlocks} blocks`, ({ blockManager, spaceMap }) => {
      const extra = nrBlocks - spaceMap.nrBlocks;
      if (!(Number.isSafeInteger(nrBlocks) && extra >= 0))
        throw new RangeError(`Cannot grow the metadata space: it has ${spaceMap.nrBlocks} blocks, found ${nrBlocks}`);
      if (nrBlocks > blockManager.nrBlocks) blockManager.resize(Math.max(nrBlocks, this.#device.nrBlocks));
      if (extra > 0) spaceMap.extend(extra);
    });
  }

  /** Makes all changes durable, atomically: metadata, flush, superblock, flush. Does nothing when nothing was changed. */
  commit(): void {
    this.#refuseUnusable('commit');
    if (this.#changed) this.#commit();
  }

  /** Throws away all changes since the last commit. */
  rollback(): void {
    if (this.#closed) throw new StateError('Cannot roll back: the metadata is closed');
    this.#blockManager.reset();
    this.#digestion = undefined;
    // Which of them are durable is not known any more; marking them again costs nothing.
    this.#marked = new MarkedBlocks(0);
    try {
      this.#core = EraCore.open(this.#blockManager, EraCore.readSuperblock(this.#blockManager));
    } catch (error) {
      // The roots in core lead to blocks that are forgotten. The next rollback may succeed.
      this.#core.tm.markBroken(error);
      throw error;
    }
    this.#changed = false;
  }

  /** Commits and closes, as it is: {@link suspend} before, to end cleanly. The device stays open: it is its opener's. Idempotent. */
  close(): void {
    if (this.#closed) return;
    try {
      if (this.#changed && this.#core.tm.broken === undefined && !this.readOnly) this.commit();
    } finally {
      this.#closed = true;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mark(core: EraCore, blocks: readonly number[]): void {
    const { current } = core;
    if (current === undefined) throw new StateError('Cannot mark blocks: no era has begun, resume first');
    core.refuseIfOutOfMetadata('mark blocks');
    const { bits } = current;
    let isNew = false;
    for (const b of blocks) {
      if (this.#testCurrent(current, b)) continue;
      bits.set(b);
      isNew = true;
    }
    // The mark, the commit, and only then the bit in core: with another order a second write of the block would pass unprotected.
    if (isNew) this.#commit();
    if (this.#marked.nrBlocks !== current.nrBits) this.#marked = new MarkedBlocks(current.nrBits);
    for (const b of blocks) this.#marked.add(b);
  }

  /** Begins an era and commits. */
  #rollOver(): void {
    const core = this.#core;
    core.refuseIfOutOfMetadata('begin an era', 1 + Math.ceil(core.nrBlocks / (509 * 64)));
    core.rollOver();
    this.#marked = new MarkedBlocks(core.nrBlocks);
    this.#commit();
  }

  #commit(): void {
    this.#core.commit();
    this.#changed = false;
  }

  /** Runs a change. What it throws after it has begun leaves the transaction broken. */
  #change<R>(action: string, change: (core: EraCore) => R): R {
    this.#refuseUnusable(action);
    this.#core.tm.refuseIfReadOnly(action);
    // Before, as a change that fails may be half done. Those that end with a commit set it back.
    this.#changed = true;
    return change(this.#core);
  }

  /** @throws {StateError} when the metadata is closed or the transaction is broken. */
  #refuseUnusable(action: string): void {
    if (this.#closed) throw new StateError(`Cannot ${action}: the metadata is closed`);
    this.#core.tm.refuseIfBroken(action);
  }

  #testCurrent({ nrBits, bits }: CurrentWriteset, block: number): boolean {
    const core = this.#core;
    return longEnough(core, core.currentEra, { nrBits, root: 0 }, () => bits.test(block));
  }

  /** Archived writesets, the newest first: listed anew after a change. */
  #archived(): readonly ArchivedWriteset[] {
    const { writesets, writesetTreeRoot, tm } = this.#core;
    if (this.#listed?.tm === tm && this.#listed.version === tm.version) return this.#listed.writesets;
    const found: ArchivedWriteset[] = [];
    for (let from = 0; ; ) {
      const next = writesets.lookupNext(writesetTreeRoot, from);
      if (next === undefined) break;
      const era = Number(next.key);
      found.push([era, next.value, new Bitset(tm, next.value.root)]);
      from = era + 1;
    }
    this.#listed = { tm, version: tm.version, writesets: found.reverse() };
    return found;
  }
}
