import { CorruptionError, highHalf, NoSpaceError, Slab, StateError, type U64 } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { Btree, blockReferenceType, readU64, type ValueType } from '../btree/index.ts';
import {
  createMetadata,
  DataSpaceMap,
  KeptVersions,
  type MetadataSpaceMap,
  openMetadata,
} from '../disk-space-map/index.ts';
import { SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR, WORDS_PER_BLOCK } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type BlockTime, blockTimeType } from './block-time.ts';
import { DEVICE_DETAILS_TYPE, type DeviceDetails } from './device-details.ts';
import { readThinSuperblock, type ThinSuperblock, writeCommittedFields, writeFixedFields } from './superblock.ts';

/** Versions of the two space maps that readers and commits in flight rely on; they outlive a rollback. */
export interface PoolKeptVersions {
  readonly metadata: KeptVersions;
  readonly data: KeptVersions;
}

export function noKeptVersions(): PoolKeptVersions {
  return { metadata: new KeptVersions(), data: new KeptVersions() };
}

interface Parts {
  readonly blockManager: BlockManager;
  readonly tm: TransactionManager;
  readonly spaceMap: MetadataSpaceMap;
  readonly dataSpaceMap: DataSpaceMap;
}

/** The largest device id: 24 bits. */
export const MAX_DEVICE_ID = 2 ** 24 - 1;

/**
 * A thin pool's metadata in core, from one opening to the next: the space maps, the kinds of trees, their roots, and what else a commit
 * writes into the superblock. A rollback throws it away and opens another.
 */
export class PoolCore {
  readonly blockManager: BlockManager;
  readonly tm: TransactionManager;
  readonly spaceMap: MetadataSpaceMap;
  readonly dataSpaceMap: DataSpaceMap;
  /** Two levels: device id, virtual block. */
  readonly mappings: Btree<BlockTime>;
  /** The first level alone: device id to the root of the device's tree, which goes when its entry goes. */
  readonly topLevel: Btree<number>;
  /** One device's tree. */
  readonly deviceTree: Btree<BlockTime>;
  readonly details: Btree<DeviceDetails>;
  readonly dataBlockSizeSectors: number;
  /** Device id and virtual block of a look-up, in one list that is made once. */
  readonly #keys = [0, 0];
  mappingRoot = 0;
  detailsRoot = 0;
  flags = 0;
  /** The snapshot clock. */
  time = 0;
  transactionId: U64 = 0;
  /** Block of the metadata snapshot, or 0. */
  heldRoot = 0;

  private constructor(parts: Parts, dataBlockSizeSectors: number) {
    this.blockManager = parts.blockManager;
    this.tm = parts.tm;
    this.spaceMap = parts.spaceMap;
    this.dataSpaceMap = parts.dataSpaceMap;
    this.dataBlockSizeSectors = dataBlockSizeSectors;
    const valueType = blockTimeType(parts.dataSpaceMap);
    this.mappings = new Btree(this.tm, { valueType, levels: 2 });
    this.deviceTree = new Btree(this.tm, { valueType });
    this.topLevel = new Btree(this.tm, { valueType: this.#deviceRootType() });
    this.details = new Btree(this.tm, { valueType: DEVICE_DETAILS_TYPE });
  }

  /** Formats a device whose superblock is of no value any more: no data blocks, no devices. Not committed. */
  static format(blockManager: BlockManager, dataBlockSizeSectors: number, kept: PoolKeptVersions): PoolCore {
    const { tm, spaceMap } = createMetadata(blockManager, { kept: kept.metadata });
    const dataSpaceMap = DataSpaceMap.create(tm, 0, kept.data);
    const core = new PoolCore({ blockManager, tm, spaceMap, dataSpaceMap }, dataBlockSizeSectors);
    core.mappingRoot = core.mappings.empty();
    core.detailsRoot = core.details.empty();
    const base = blockManager.writeLockZero(SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR);
    writeFixedFields(blockManager.slab, base, dataBlockSizeSectors, spaceMap.nrBlocks);
    blockManager.unlock(base);
    return core;
  }

  /** Opens what a superblock says. */
  static open(blockManager: BlockManager, superblock: ThinSuperblock, kept: PoolKeptVersions): PoolCore {
    refuseRootsOutside(superblock, blockManager.nrBlocks);
    const { tm, spaceMap } = openMetadata(blockManager, superblock.metadataSpaceMapRoot, kept.metadata);
    const dataSpaceMap = DataSpaceMap.open(tm, superblock.dataSpaceMapRoot, kept.data);
    const core = new PoolCore({ blockManager, tm, spaceMap, dataSpaceMap }, superblock.dataBlockSize);
    core.mappingRoot = superblock.dataMappingRoot;
    core.detailsRoot = superblock.deviceDetailsRoot;
    core.flags = superblock.flags;
    core.time = superblock.time;
    core.transactionId = superblock.transactionId;
    core.heldRoot = superblock.heldRoot;
    return core;
  }

  /** Reads and decodes the superblock on the disk. @throws {CorruptionError} when it is not one. */
  static readSuperblock(blockManager: BlockManager): ThinSuperblock {
    const base = blockManager.read(SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR);
    return readThinSuperblock(blockManager.slab, base);
  }

  /** The superblock that a commit now would write, whole, but for its checksum. All else of the commit has been done. */
  superblockImage(): Slab {
    const { slab } = this.blockManager;
    const image = Slab.ofSize(WORDS_PER_BLOCK * 4);
    const base = this.blockManager.read(SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR);
    image.words.set(slab.words.subarray(base, base + WORDS_PER_BLOCK));
    writeCommittedFields(image, 0, {
      flags: this.flags,
      time: this.time,
      transactionId: this.transactionId,
      heldRoot: this.heldRoot,
      dataSpaceMapRoot: this.dataSpaceMap.root,
      metadataSpaceMapRoot: this.spaceMap.root,
      dataMappingRoot: this.mappingRoot,
      deviceDetailsRoot: this.detailsRoot,
    });
    return image;
  }

  /** The keys of a mapping, until the next call. */
  keysOf(device: number, virtualBlock: number): readonly number[] {
    this.#keys[0] = device;
    this.#keys[1] = virtualBlock;
    return this.#keys;
  }

  /** The root of a device's tree. @throws {StateError} when there is no such device. */
  deviceRoot(id: number): number {
    const root = this.topLevel.lookup(this.mappingRoot, id);
    if (root === undefined) throw new StateError(`Cannot find thin device ${id}: the pool has none of this id`);
    return root;
  }

  /** @throws {NoSpaceError} when only the reserve is left: a commit may give blocks back. */
  refuseIfOutOfMetadata(action: string): void {
    if (this.spaceMap.nrFreeForWork > 0) return;
    const { nrFree, reserve } = this.spaceMap;
    throw new NoSpaceError(
      `Cannot ${action}: ${nrFree} metadata blocks are free, more than the reserve of ${reserve} are wanted; a commit may free some`,
      'metadata',
    );
  }

  #deviceRootType(): ValueType<number> {
    return {
      ...blockReferenceType(this.tm),
      name: 'device_root',
      dec: (slab, at, count) => {
        for (let i = 0; i < count; i++) this.deviceTree.delete(readU64(slab, at + 8 * i));
      },
    };
  }
}

/** @throws {CorruptionError} when the superblock refers to a block that the device does not have. */
function refuseRootsOutside(superblock: ThinSuperblock, nrBlocks: number): void {
  for (const field of ['dataMappingRoot', 'deviceDetailsRoot', 'heldRoot'] as const) {
    const found = superblock[field];
    if (found < nrBlocks) continue;
    const message = `Cannot open pool: superblock ${field} is ${found}, a block of the device's ${nrBlocks} is wanted`;
    throw new CorruptionError(message, { block: SUPERBLOCK_LOCATION, field, found, expected: `below ${nrBlocks}` });
  }
}

/** @throws {RangeError} when `id` is no device id. */
export function checkDeviceId(id: number): void {
  if (!(Number.isInteger(id) && id >= 0 && id <= MAX_DEVICE_ID)) {
    throw new RangeError(`Cannot use ${id} as a thin device id: an integer from 0 to ${MAX_DEVICE_ID} is wanted`);
  }
}

/** A key of a tree of devices, as the id that it should be. @throws {CorruptionError} when it is none. */
export function listedId(key: U64): number {
  if (key <= MAX_DEVICE_ID) return Number(key);
  const message = `Cannot list thin devices: an id is ${key}, at most ${MAX_DEVICE_ID} is wanted`;
  throw new CorruptionError(message, { field: 'device id', found: key, expected: `at most ${MAX_DEVICE_ID}` });
}

/** @throws {RangeError} when `time` does not fit where times of this kind are stored. */
export function nextTime(time: number): number {
  // A mapping stores 24 bits. A pool that has taken 16 million snapshots has to be restored, which starts the clock anew.
  if (time >= 0xff_ffff || highHalf(time) !== 0) {
    throw new StateError(`Cannot take a snapshot: the snapshot clock is at ${time}, its last value`);
  }
  return time + 1;
}
