import { type Slab, StateError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import type { DeviceDetails } from './device-details.ts';
import { DeviceList, ThinDeviceState } from './device-list.ts';
import { checkDeviceId, PoolCore, type PoolKeptVersions } from './pool-core.ts';
import { readThinSuperblock } from './superblock.ts';
import { type CommittedRoots, ThinView } from './view.ts';

/** How a commit makes the data durable that the metadata refers to. */
export interface DataFlush {
  /** Called at the beginning of each commit that has something to write: flush the data device here. */
  readonly flushData?: () => void;
  /** The same for an asynchronous commit; without it `flushData` is used. */
  readonly flushDataAsync?: () => Promise<void>;
}

/**
 * The running transaction of a pool: what is in core, the devices that are known, and the three ways it can end: a commit, a commit that
 * waits in the background, a rollback.
 */
export class PoolTransaction {
  readonly #blockManager: BlockManager;
  readonly #kept: PoolKeptVersions;
  readonly #flush: DataFlush;
  readonly #devices = new DeviceList();
  #core: PoolCore;
  #committed: CommittedRoots;
  /** The superblock of a commit that is on its way: it is what a rollback goes back to. */
  #inFlight: Slab | undefined;
  #underWay: Promise<void> | undefined;
  #threshold: { readonly blocks: number; readonly callback: () => void } | undefined;
  #changed: boolean;
  #closed = false;

  /** @param changed - Whether there is something to commit already, as after a format. */
  constructor(core: PoolCore, kept: PoolKeptVersions, flush: DataFlush, changed: boolean) {
    this.#blockManager = core.blockManager;
    this.#core = core;
    this.#committed = rootsOf(core);
    this.#kept = kept;
    this.#flush = flush;
    this.#changed = changed;
  }

  get core(): PoolCore {
    return this.#core;
  }

  get changed(): boolean {
    return this.#changed;
  }

  /** The last commit, for readers. */
  view(): ThinView {
    this.refuseUnusable('make a view');
    return new ThinView(this.#core, this.#committed, this.#kept);
  }

  /** Runs a change. What it throws after it has begun leaves the transaction broken. */
  change<R>(action: string, change: (core: PoolCore) => R): R {
    this.refuseUnusable(action);
    this.#core.tm.refuseIfReadOnly(action);
    // Before, as a change that fails may be half done; and after, as one of them commits first.
    this.#changed = true;
    const result = change(this.#core);
    this.#changed = true;
    return result;
  }

  /** @throws {StateError} when the pool is closed or the transaction is broken. */
  refuseUnusable(action: string): void {
    if (this.#closed) throw new StateError(`Cannot ${action}: the pool is closed`);
    this.#core.tm.refuseIfBroken(action);
  }

  /** Details of a device: as changed in core, else as on the disk. @throws {StateError} when there is no such device. */
  details(id: number): DeviceDetails {
    return this.#devices.find(id) ?? this.#readDetails(id);
  }

  /** The state of a device, in core from now on. */
  load(id: number): ThinDeviceState {
    checkDeviceId(id);
    const known = this.#devices.find(id);
    if (known) return known;
    const device = new ThinDeviceState(id, this.#readDetails(id), false);
    this.#devices.addFirst(device);
    return device;
  }

  /** The state of a device that is made now. */
  addDevice(id: number): ThinDeviceState {
    const { transactionId, time } = this.#core;
    const details = { mappedBlocks: 0, transactionId, creationTime: time, snapshottedTime: time };
    const device = new ThinDeviceState(id, details, true);
    this.#devices.addFirst(device);
    return device;
  }

  /** Forgets a device that is deleted now. */
  dropDevice(device: ThinDeviceState): void {
    device.isGone = true;
    this.#devices.remove(device);
  }

  /** Calls back when free metadata blocks fall to `blocks`. Survives a rollback. */
  registerThreshold(blocks: number, callback: () => void): void {
    this.#threshold = { blocks, callback };
    this.#core.spaceMap.registerThreshold(blocks, callback);
  }

  /** Data flush, metadata, flush, superblock, flush. */
  commit(): void {
    this.refuseUnusable('commit');
    // Also where nothing was changed since: what was before is not durable yet.
    this.#refuseIfUnderWay('commit');
    if (!this.#changed) return;
    this.#flush.flushData?.();
    const core = this.#core;
    try {
      this.#prepare();
      this.#blockManager.flush();
      // Nothing was allocated since: the space maps' roots are final.
      const image = core.superblockImage();
      core.tm.commit(this.#lockSuperblock(image));
    } catch (error) {
      // In core this commit is done, on the disk it is not: blocks that the disk still refers to would be handed out.
      core.tm.markBroken(error);
      throw error;
    }
    this.#begin();
  }

  /** {@link commit} off the main thread where the device can; the next transaction begins at once. One after the other. */
  async commitAsync(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay.catch(() => undefined);
    this.refuseUnusable('commit');
    if (!this.#changed) return;
    this.#underWay = this.#commitInBackground();
    try {
      await this.#underWay;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** Throws away all changes since the last commit. */
  rollback(): void {
    if (this.#closed) throw new StateError('Cannot roll back: the pool is closed');
    this.#blockManager.reset();
    try {
      // The committed roots, not those in core; and of a commit on its way those that it is writing.
      const superblock = this.#inFlight
        ? readThinSuperblock(this.#inFlight, 0)
        : PoolCore.readSuperblock(this.#blockManager);
      this.#core = PoolCore.open(this.#blockManager, superblock, this.#kept);
      if (this.#threshold) this.#core.spaceMap.registerThreshold(this.#threshold.blocks, this.#threshold.callback);
      this.#committed = rootsOf(this.#core);
      for (const device of this.#devices) this.#reload(device);
    } catch (error) {
      // The roots in core lead to blocks that are forgotten. The next rollback may succeed.
      this.#core.tm.markBroken(error);
      throw error;
    }
    this.#changed = false;
  }

  /** Commits if that is possible, and ends. */
  close(): void {
    if (this.#closed) return;
    this.#refuseIfUnderWay('close');
    try {
      if (this.#changed && this.#core.tm.broken === undefined && !this.#blockManager.readOnly) this.commit();
    } finally {
      this.#closed = true;
    }
  }

  async #commitInBackground(): Promise<void> {
    const core = this.#core;
    const blockManager = this.#blockManager;
    // What the disk holds now stays untouched until the new superblock is there, although the next transaction may allocate meanwhile.
    const held = core.spaceMap.keepCommitted();
    const heldData = core.dataSpaceMap.keepCommitted();
    try {
      const dataFlushed = this.#flush.flushDataAsync?.() ?? this.#flush.flushData?.();
      // Should preparing fail, nobody is left to hear of the data.
      dataFlushed?.catch(() => undefined);
      this.#prepare();
      const image = core.superblockImage();
      core.tm.finishCommit();
      this.#inFlight = image;
      this.#begin();
      await Promise.all([dataFlushed, blockManager.flushAsync()]);
      blockManager.unlock(this.#lockSuperblock(image));
      blockManager.writeBlock(SUPERBLOCK_LOCATION);
      await blockManager.flushDeviceAsync();
    } catch (error) {
      this.#core.tm.markBroken(error);
      throw error;
    } finally {
      this.#inFlight = undefined;
      this.#kept.metadata.release(held);
      this.#kept.data.release(heldData);
    }
  }

  #refuseIfUnderWay(action: string): void {
    if (this.#underWay === undefined) return;
    throw new StateError(`Cannot ${action}: an asynchronous commit is under way, await it first`);
  }

  /** Brings everything in core into the trees and both space maps. */
  #prepare(): void {
    const core = this.#core;
    for (const device of this.#devices) {
      if (!device.detailsChanged) continue;
      core.detailsRoot = core.details.insert(core.detailsRoot, device.id, device);
      device.detailsChanged = false;
      if (device.openers === 0) this.#devices.remove(device);
    }
    // Before the metadata map: it allocates metadata blocks.
    core.dataSpaceMap.commit();
    core.tm.prepareCommit();
  }

  #lockSuperblock(image: Slab): number {
    const base = this.#blockManager.writeLock(SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR);
    this.#blockManager.slab.words.set(image.words, base);
    return base;
  }

  #begin(): void {
    this.#committed = rootsOf(this.#core);
    for (const device of this.#devices) device.changedThisTransaction = false;
    this.#changed = false;
  }

  #reload(device: ThinDeviceState): void {
    device.abortedWithChanges ||= device.changedThisTransaction;
    device.changedThisTransaction = false;
    device.detailsChanged = false;
    const details = this.#core.details.lookup(this.#core.detailsRoot, device.id);
    if (details === undefined || !isSameDevice(device, details)) {
      this.dropDevice(device);
      return;
    }
    device.mappedBlocks = details.mappedBlocks;
    device.snapshottedTime = details.snapshottedTime;
  }

  #readDetails(id: number): DeviceDetails {
    const details = this.#core.details.lookup(this.#core.detailsRoot, id);
    if (details === undefined) throw new StateError(`Cannot find thin device ${id}: the pool has none of this id`);
    return details;
  }
}

function rootsOf({ mappingRoot, detailsRoot }: PoolCore): CommittedRoots {
  return { mappingRoot, detailsRoot };
}

/** Whether these are details of the device itself, and not of an earlier one of the same id. Two that agree here are alike in all else. */
function isSameDevice(device: ThinDeviceState, details: DeviceDetails): boolean {
  const { creationTime, transactionId } = details;
  return device.creationTime === creationTime && BigInt(device.transactionId) === BigInt(transactionId);
}
