import { lowHalf, StateError, type U64 } from '../base/index.ts';
import { BlockManager, type BlockManagerStatistics } from '../block-manager/index.ts';
import { THIN_FLAG_NEEDS_CHECK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { DeviceDetails } from './device-details.ts';
import { checkRange, findMappedRange, findMapping, insertMappings, removeMappings } from './mappings.ts';
import { releaseMetadataSnapshot, reserveMetadataSnapshot } from './metadata-snapshot.ts';
import { checkDeviceId, listedId, nextTime, noKeptVersions, PoolCore } from './pool-core.ts';
import { type DataFlush, PoolTransaction } from './pool-transaction.ts';
import { isDataBlockSize, needsCheck, refuseUnsupported } from './superblock.ts';
import { type DeviceOperations, ThinDevice } from './thin-device.ts';
import type { ThinView } from './view.ts';

export interface ThinMetadataOptions extends DataFlush {
  /** Cache, in 4096-byte blocks. Default 16384 (64 MiB). */
  readonly cacheBlocks?: number;
  /** Opens for reading only. Default: what the device says. */
  readonly readOnly?: boolean;
}

export interface ThinFormatOptions extends ThinMetadataOptions {
  /** 512-byte sectors: 128 (64 KiB) to 2097152 (1 GiB), a multiple of 128. Fixed for ever. */
  readonly dataBlockSizeSectors: number;
  /** Blocks of the data device. */
  readonly nrDataBlocks: number;
}

/** A device as the pool lists it. */
export interface ListedDevice extends DeviceDetails {
  readonly id: number;
}

/**
 * The metadata of a thin pool: devices, their mappings, reference counts of data blocks. It moves no data and knows no data device.
 *
 * Changes are kept in core until {@link commit}, which is atomic. When one throws half-way, every further call fails until
 * {@link rollback}; when the device fails, until the pool is opened again. Operations place every byte as the Linux kernel does.
 */
export class ThinMetadata {
  readonly #device: BlockDevice;
  readonly #transaction: PoolTransaction;

  private constructor(device: BlockDevice, transaction: PoolTransaction) {
    this.#device = device;
    this.#transaction = transaction;
  }

  /**
   * Makes an empty pool on `device`, whose content is lost. Two commits, as the kernel does: the format, then the data space.
   * @throws {NoSpaceError} when the device is too small.
   */
  static format(device: BlockDevice, options: ThinFormatOptions): ThinMetadata {
    const { dataBlockSizeSectors, nrDataBlocks } = options;
    if (!isDataBlockSize(dataBlockSizeSectors)) {
      throw new RangeError(
        `Cannot format pool: the data block size is ${dataBlockSizeSectors} sectors, a multiple of 128 to 2097152 is wanted`,
      );
    }
    checkRange(0, nrDataBlocks);
    const kept = noKeptVersions();
    const core = PoolCore.format(new BlockManager(device, options), dataBlockSizeSectors, kept);
    const metadata = new ThinMetadata(device, new PoolTransaction(core, kept, options, true));
    metadata.commit();
    metadata.resizeData(nrDataBlocks);
    metadata.commit();
    return metadata;
  }

  /**
   * Opens a pool.
   * @throws {CorruptionError} when the superblock or what it refers to directly is not believable.
   * @throws {UnsupportedError} when its version or a feature flag is not known.
   */
  static open(device: BlockDevice, options: ThinMetadataOptions = {}): ThinMetadata {
    const blockManager = new BlockManager(device, options);
    const superblock = PoolCore.readSuperblock(blockManager);
    refuseUnsupported(superblock, blockManager.readOnly);
    const kept = noKeptVersions();
    const core = PoolCore.open(blockManager, superblock, kept);
    return new ThinMetadata(device, new PoolTransaction(core, kept, options, false));
  }

  /** The state in core; for this layer's own tools. Replaced by a rollback. */
  get core(): PoolCore {
    return this.#transaction.core;
  }

  /** The device that the metadata is on. What can be read there is the last commit. */
  get device(): BlockDevice {
    return this.#device;
  }

  get readOnly(): boolean {
    return this.core.blockManager.readOnly;
  }

  get dataBlockSizeSectors(): number {
    return this.core.dataBlockSizeSectors;
  }

  /** Blocks of the data device, as of the last commit. */
  get nrDataBlocks(): number {
    return this.core.dataSpaceMap.nrBlocks;
  }

  /** Includes blocks freed since the last commit, which can't be allocated before the next. */
  get nrFreeData(): number {
    return this.core.dataSpaceMap.nrFree;
  }

  get nrMetadataBlocks(): number {
    return this.core.spaceMap.nrBlocks;
  }

  /** Metadata blocks free for new work: without the reserve that commits and deletions may use. */
  get nrFreeMetadata(): number {
    return this.core.spaceMap.nrFreeForWork;
  }

  /** The volume manager's own count. */
  get transactionId(): U64 {
    return this.core.transactionId;
  }

  /** The snapshot clock. */
  get time(): number {
    return this.core.time;
  }

  /** Block of the metadata snapshot's superblock, or 0. */
  get metadataSnapshot(): number {
    return this.core.heldRoot;
  }

  get needsCheck(): boolean {
    return needsCheck(this.core);
  }

  get statistics(): BlockManagerStatistics {
    return this.core.blockManager.statistics;
  }

  /** Whether anything was changed since the last commit. */
  get changedThisTransaction(): boolean {
    return this.#transaction.changed;
  }

  /** Makes an empty device. @throws {StateError} when the id is taken. */
  createThin(id: number): void {
    this.#transaction.change(`create thin device ${id}`, (core) => {
      this.#refuseTaken(id);
      core.refuseIfOutOfMetadata(`create thin device ${id}`);
      const root = core.deviceTree.empty();
      core.mappingRoot = core.topLevel.insert(core.mappingRoot, id, root);
      this.#transaction.addDevice(id);
    });
  }

  /** Makes device `snapshot` with all mappings of `origin`, which it shares. O(1): no mapping is touched. */
  createSnapshot(options: { readonly snapshot: number; readonly origin: number }): void {
    const { snapshot, origin } = options;
    this.#transaction.change(`create snapshot ${snapshot} of thin device ${origin}`, (core) => {
      this.#refuseTaken(snapshot);
      core.refuseIfOutOfMetadata(`create snapshot ${snapshot}`);
      const root = core.deviceRoot(origin);
      // Before anything is changed: a damaged pool may have a device without details.
      this.#transaction.details(origin);
      const time = nextTime(core.time);
      core.tm.inc(root);
      core.mappingRoot = core.topLevel.insert(core.mappingRoot, snapshot, root);
      core.time = time;
      const device = this.#transaction.addDevice(snapshot);
      const originDevice = this.#transaction.load(origin);
      device.mappedBlocks = originDevice.mappedBlocks;
      originDevice.snapshottedTime = time;
      originDevice.detailsChanged = true;
    });
  }

  /** Deletes a device and gives up its data blocks. @throws {StateError} when somebody has it open, or it is not there. */
  deleteThin(id: number): void {
    this.#transaction.change(`delete thin device ${id}`, (core) => {
      const device = this.#transaction.load(id);
      if (device.openers > 0) throw new StateError(`Cannot delete thin device ${id}: it is open`);
      // Before anything is changed: a damaged pool may have details without a device.
      core.deviceRoot(id);
      // A device of this transaction has no details on the disk yet.
      if (core.details.has(core.detailsRoot, id)) core.detailsRoot = core.details.remove(core.detailsRoot, id);
      core.mappingRoot = core.topLevel.remove(core.mappingRoot, id);
      this.#transaction.dropDevice(device);
    });
  }

  /** Opens a device. @throws {StateError} when it is not there. */
  openThin(id: number): ThinDevice {
    this.#transaction.refuseUnusable(`open thin device ${id}`);
    const device = this.#transaction.load(id);
    device.openers++;
    return new ThinDevice(this.#deviceOperations, device);
  }

  /** All devices, by id, with the changes of this transaction. */
  devices(): ListedDevice[] {
    this.#transaction.refuseUnusable('list thin devices');
    const { core } = this;
    const found: ListedDevice[] = [];
    for (let from = 0; ; ) {
      const next = core.topLevel.lookupNext(core.mappingRoot, from);
      if (next === undefined) return found;
      const id = listedId(next.key);
      const { mappedBlocks, transactionId, creationTime, snapshottedTime } = this.#transaction.details(id);
      found.push({ id, mappedBlocks, transactionId, creationTime, snapshottedTime });
      from = id + 1;
    }
  }

  /** Whether there is a device of this id. */
  hasThin(id: number): boolean {
    this.#transaction.refuseUnusable(`look for thin device ${id}`);
    return this.core.topLevel.has(this.core.mappingRoot, id);
  }

  /**
   * Allocates a data block; the caller owns its one reference.
   * @throws {NoSpaceError} of data space. Blocks freed in this transaction come back with a commit: {@link nrFreeData} counts them.
   */
  allocateDataBlock(): number {
    return this.#transaction.change('allocate a data block', (core) => core.dataSpaceMap.newBlock());
  }

  /**
   * Where the run of data blocks ends that begins at `begin` and could all be allocated now: nobody refers to them, neither this transaction nor the last
   * commit, nor a view. At most `limit`. Changes nothing.
   */
  freeDataRunEnd(begin: number, limit: number): number {
    this.#transaction.refuseUnusable('look for free data blocks');
    return this.core.dataSpaceMap.freeRunEnd(begin, limit);
  }

  /** Adds a reference to each data block of the half-open range. */
  incDataRange(begin: number, end: number): void {
    this.#transaction.change('inc data blocks', (core) => core.dataSpaceMap.incRange(begin, end));
  }

  /** Gives up a reference to each data block of the half-open range. */
  decDataRange(begin: number, end: number): void {
    this.#transaction.change('dec data blocks', (core) => core.dataSpaceMap.decRange(begin, end));
  }

  /** Whether a data block has more than one reference. */
  dataBlockIsShared(block: number): boolean {
    this.#transaction.refuseUnusable('count a data block');
    return this.core.dataSpaceMap.countIsMoreThanOne(block);
  }

  /** The reference count of a data block. */
  dataBlockCount(block: number): number {
    this.#transaction.refuseUnusable('count a data block');
    return this.core.dataSpaceMap.getCount(block);
  }

  /** Sets the number of data blocks. Shrinking wants the tail to be free. Visible in {@link nrDataBlocks} after the commit. */
  resizeData(nrDataBlocks: number): void {
    checkRange(0, nrDataBlocks);
    this.#transaction.change(`resize the data space to ${nrDataBlocks} blocks`, (core) => {
      const now = core.dataSpaceMap.nrBlocksUncommitted;
      if (nrDataBlocks > now) core.dataSpaceMap.extend(nrDataBlocks - now);
      else if (nrDataBlocks < now) core.dataSpaceMap.shrink(nrDataBlocks);
    });
  }

  /**
   * Takes more of the metadata device into use, after lengthening it where it can be; or less, where the tail is free (the device itself
   * is not shortened before the commit: do it then).
   */
  resizeMetadata(nrBlocks: number): void {
    checkRange(1, nrBlocks);
    this.#transaction.change(`resize the metadata space to ${nrBlocks} blocks`, (core) => {
      const now = core.spaceMap.nrBlocks;
      if (nrBlocks > core.blockManager.nrBlocks) core.blockManager.resize(Math.max(nrBlocks, this.#device.nrBlocks));
      if (nrBlocks > now) core.spaceMap.extend(nrBlocks - now);
      else if (nrBlocks < now) core.spaceMap.shrink(nrBlocks);
    });
  }

  /**
   * Sets the volume manager's own count, which is any u64.
   * @throws {StateError} when it is not `expected`.
   */
  setTransactionId(options: { readonly expected: U64; readonly next: U64 }): void {
    const { expected, next } = options;
    for (const id of [expected, next]) lowHalf(id);
    this.#transaction.change('set the transaction id', (core) => {
      if (BigInt(core.transactionId) !== BigInt(expected)) {
        throw new StateError(`Cannot set the transaction id: it is ${core.transactionId}, ${expected} was expected`);
      }
      core.transactionId = next;
    });
  }

  /** Commits, then makes a metadata snapshot, which counts from the next commit on. @throws {StateError} when there is one. */
  reserveMetadataSnapshot(): void {
    this.#transaction.change('reserve a metadata snapshot', (core) => {
      core.refuseIfOutOfMetadata('reserve a metadata snapshot');
      this.commit();
      reserveMetadataSnapshot(core);
    });
  }

  /** Gives the metadata snapshot up. @throws {StateError} when there is none. */
  releaseMetadataSnapshot(): void {
    this.#transaction.change('release the metadata snapshot', releaseMetadataSnapshot);
  }

  /** Sets or clears the flag that says: check before you write. Written with the next commit. */
  setNeedsCheck(wanted: boolean): void {
    this.#transaction.change('set the needs_check flag', (core) => {
      core.flags = wanted ? core.flags | THIN_FLAG_NEEDS_CHECK : core.flags & ~THIN_FLAG_NEEDS_CHECK;
    });
  }

  /** Calls back when free metadata blocks (the reserve included) fall to `blocks`. Survives a rollback. */
  registerMetadataThreshold(blocks: number, callback: () => void): void {
    this.#transaction.registerThreshold(blocks, callback);
  }

  /**
   * Makes all changes durable, atomically: data flush, metadata, flush, superblock, flush. Does nothing when nothing was changed.
   * When it throws, the disk holds this commit or the last one; open again (or {@link rollback}, where the device is sound).
   */
  commit(): void {
    this.#transaction.commit();
  }

  /**
   * As {@link commit}, but waits for the disk off the main thread where the device can. The next transaction may begin at once; it is a
   * later one in every respect. Several calls are done one after the other.
   */
  async commitAsync(): Promise<void> {
    await this.#transaction.commitAsync();
  }

  /** The pool as of the last commit, for readers beside the writer. O(1). Close it when done. */
  view(): ThinView {
    return this.#transaction.view();
  }

  /** Throws away all changes since the last commit. Handles of devices stay good, except of devices made since. */
  rollback(): void {
    this.#transaction.rollback();
  }

  /** Commits and closes. The device stays open: it is its opener's. Idempotent. */
  close(): void {
    this.#transaction.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refuseTaken(id: number): void {
    checkDeviceId(id);
    if (this.core.topLevel.has(this.core.mappingRoot, id)) {
      throw new StateError(`Cannot create thin device ${id}: the id is taken`);
    }
  }

  readonly #deviceOperations: DeviceOperations = {
    find: (device, virtualBlock) => {
      this.#transaction.refuseUnusable('look up a block');
      return findMapping(this.core, device, virtualBlock);
    },
    findMappedRange: (device, begin, end, limit) => {
      this.#transaction.refuseUnusable('look up blocks');
      return findMappedRange(this.core, device, begin, end, limit);
    },
    highestMapped: (device) => {
      this.#transaction.refuseUnusable('look up blocks');
      const key = this.core.mappings.lastKey(this.core.mappingRoot, [device.id]);
      return key === undefined ? undefined : Number(key);
    },
    insert: (device, virtualBlock, dataBlock) => {
      this.#transaction.change('map a block', (core) => insertMappings(core, device, virtualBlock, dataBlock, 1));
    },
    insertRange: (device, virtualBegin, dataBegin, count) => {
      this.#transaction.change('map blocks', (core) => insertMappings(core, device, virtualBegin, dataBegin, count));
    },
    removeRange: (device, begin, end) =>
      this.#transaction.change('unmap blocks', (core) => removeMappings(core, device, begin, end)),
    close: (device) => {
      device.openers--;
    },
  };
}
