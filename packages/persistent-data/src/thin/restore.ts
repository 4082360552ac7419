import { assert, NoSpaceError, Slab, StateError, TWO_POW_32 } from '../base/index.ts';
import { BtreeBuilder, LeafBuilder, PLAIN_U64, releaseLeaves, type ValueType } from '../btree/index.ts';
import { BulkTransaction, ReferenceCounter, writeDataSpaceMap } from '../disk-space-map/index.ts';
import { ENTRIES_PER_BITMAP, THIN_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type BlockTime, dataBlockAt, timeAt, writeBlockTime } from './block-time.ts';
import { BuiltLeaves } from './built-leaves.ts';
import { DEVICE_DETAILS_TYPE } from './device-details.ts';
import { checkDeviceId } from './pool-core.ts';
import { isDataBlockSize, writeCommittedFields, writeFixedFields } from './superblock.ts';
import type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';
import { type ReadThinXmlOptions, readThinXml } from './xml-reader.ts';

/** How to restore. */
export interface ThinRestoreOptions {
  /** Blocks of cache; blocks are written when it is full. Default 512 (2 MiB), at least 32. */
  readonly cacheBlocks?: number;
}

const UNFINISHED =
  'A pool is being restored here. If nobody is at it, the restore did not come to its end: do it again.\n';

/** Data blocks that are counted together. */
const UNCOUNTED = 1024;

/** What takes mappings: a def's leaves, or a device's tree. */
type Target = Pick<LeafBuilder<BlockTime>, 'addRaw' | 'addLeaves' | 'nrEntries'>;

interface RestoredDevice {
  readonly device: ThinXmlDevice;
  readonly root: number;
}

/**
 * Writes a pool's metadata onto a device, as it is told of it: the other end of a dump. Reference counts are computed, leaves come out full,
 * and a def's leaves are written once, for all that refer to them. The pool is there, and durable, when `superblockEnd` returns. Before, from
 * `superblockBegin` on, no tool takes what is on the device for a pool.
 *
 * Memory: the cache, a byte per data block and two per metadata block, and 24 bytes per leaf of a def. After an exception the restore
 * cannot go on.
 *
 * @example
 * ```ts
 * readThinXml([new TextEncoder().encode(xml)], new ThinRestore(device));
 * ```
 */
export class ThinRestore implements ThinVisitor {
  readonly #bulk: BulkTransaction;
  readonly #tm: TransactionManager;
  readonly #scratch = Slab.ofSize(8);
  /** Data blocks that were mapped and wait for being counted. */
  readonly #uncounted = new Float64Array(UNCOUNTED);
  #nrUncounted = 0;
  readonly #defs = new Map<string, BuiltLeaves>();
  readonly #devices: RestoredDevice[] = [];
  #superblock: ThinXmlSuperblock | undefined;
  #dataCounts = new ReferenceCounter(0);
  #valueType = countedMappings(this.#dataCounts);
  #target: Target | undefined;

  /** The leaves, name and builder of the def that is open. */
  #leaves = new BuiltLeaves();
  #defName = '';
  #leafBuilder: LeafBuilder<BlockTime> | undefined;
  /** The device that is open, and its tree. */
  #open: ThinXmlDevice | undefined;
  #tree: BtreeBuilder<BlockTime> | undefined;
  /** All that the open device has so far, if that is one shared leaf: it may become the root, which no builder makes of a small one. */
  #onlyLeaf: BuiltLeaves | undefined;

  /** Writes nothing yet. @throws {RangeError} when the cache is too small. */
  constructor(device: BlockDevice, { cacheBlocks = 512 }: ThinRestoreOptions = {}) {
    this.#bulk = new BulkTransaction(device, THIN_SUPERBLOCK_VALIDATOR, cacheBlocks);
    this.#tm = this.#bulk.tm;
  }

  /**
   * Destroys what is on the device.
   * @throws {RangeError} when the data block size is none that a pool may have.
   * @throws {NoSpaceError} when the device has no block, or none for the counts of so many data blocks.
   */
  superblockBegin(superblock: ThinXmlSuperblock): void {
    if (this.#superblock !== undefined) throw new StateError('duplicated superblock');
    const { dataBlockSize, nrDataBlocks } = superblock;
    if (!isDataBlockSize(dataBlockSize))
      throw new RangeError(`invalid data block size: found ${dataBlockSize} sectors`);
    // Before anything is made that is as large as the pool says it is.
    const { nrBlocks } = this.#bulk;
    const nrBitmaps = Math.ceil(nrDataBlocks / ENTRIES_PER_BITMAP);
    if (nrBlocks > 0 && nrBitmaps >= nrBlocks) {
      const wanted = `${nrDataBlocks} data blocks want ${nrBitmaps} bitmaps`;
      throw new NoSpaceError(`Cannot restore: ${wanted}, the device has ${nrBlocks} blocks`, 'metadata');
    }
    this.#superblock = superblock;
    this.#dataCounts = new ReferenceCounter(nrDataBlocks);
    this.#valueType = countedMappings(this.#dataCounts);
    this.#bulk.begin(UNFINISHED, (slab, base) => writeFixedFields(slab, base, 0, 0));
  }

  defBegin(name: string): void {
    this.#refuseUnless(this.#target === undefined && !this.#defs.has(name), `begin def ${name}`);
    this.#defName = name;
    this.#leaves = new BuiltLeaves();
    const { add } = BuiltLeaves.prototype;
    this.#leafBuilder = new LeafBuilder(this.#tm, this.#valueType, add.bind(this.#leaves));
    this.#target = this.#leafBuilder;
  }

  defEnd(): void {
    this.#leafBuilder?.finish();
    this.#defs.set(this.#defName, this.#leaves);
    this.#leafBuilder = undefined;
    this.#target = undefined;
  }

  /** @throws {RangeError} when the id is no device id. */
  deviceBegin(device: ThinXmlDevice): void {
    this.#refuseUnless(this.#target === undefined, `begin thin device ${device.devId}`);
    checkDeviceId(device.devId);
    this.#open = device;
    this.#tree = new BtreeBuilder(this.#tm, this.#valueType);
    this.#target = this.#tree;
  }

  /** @throws {RangeError} when the device has not as many mappings as was said. */
  deviceEnd(): void {
    const device = this.#open;
    const tree = this.#tree;
    if (device === undefined || tree === undefined) throw new StateError('Cannot end a thin device: none is open');
    const onlyLeaf = this.#onlyLeaf;
    const nrMapped = onlyLeaf === undefined ? tree.nrEntries : onlyLeaf.nrEntries;
    if (nrMapped !== device.mappedBlocks) {
      const found = `${nrMapped} mappings, mapped_blocks is ${device.mappedBlocks}`;
      throw new RangeError(`Cannot restore thin device ${device.devId}: found ${found}`);
    }
    this.#devices.push({ device, root: onlyLeaf === undefined ? tree.finish() : this.#sharedRoot(onlyLeaf) });
    this.#onlyLeaf = undefined;
    this.#open = undefined;
    this.#tree = undefined;
    this.#target = undefined;
  }

  /**
   * Adds mappings. Costs some 50 ns each, and allocates nothing.
   * @throws {RangeError} when virtual blocks do not rise, or a data block is beyond the last.
   */
  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    const target = this.#target;
    const counts = this.#dataCounts;
    if (target === undefined) throw new StateError('Cannot restore a mapping: neither a def nor a thin device is open');
    if (!(dataBegin >= 0 && dataBegin + length <= counts.nrBlocks)) {
      const found = `data blocks to ${dataBegin + length - 1}, there are ${counts.nrBlocks}`;
      throw new RangeError(`Cannot restore the mapping of virtual block ${originBegin}: found ${found}`);
    }
    if (this.#onlyLeaf !== undefined) this.#addOnlyLeaf(target);
    const scratch = this.#scratch;
    for (let i = 0; i < length; i++) {
      const origin = originBegin + i;
      writeBlockTime(scratch, 0, dataBegin + i, time);
      target.addRaw((origin / TWO_POW_32) >>> 0, origin >>> 0, scratch, 0);
      if (this.#nrUncounted === UNCOUNTED) this.#count();
      this.#uncounted[this.#nrUncounted++] = dataBegin + i;
    }
  }

  #count(): void {
    this.#dataCounts.incAll(this.#uncounted, this.#nrUncounted);
    this.#nrUncounted = 0;
  }

  /** @throws {StateError} when there is no def of this name. */
  ref(name: string): void {
    const leaves = this.#defs.get(name);
    if (leaves === undefined) throw new StateError(`Cannot refer to def ${name}: there is none`);
    const target = this.#target;
    if (target === undefined)
      throw new StateError(`Cannot refer to def ${name}: neither a def nor a thin device is open`);
    if (this.#onlyLeaf !== undefined) this.#addOnlyLeaf(target);
    if (this.#open !== undefined && target.nrEntries === 0 && leaves.length === 1) this.#onlyLeaf = leaves;
    else target.addLeaves(leaves);
  }

  #addOnlyLeaf(target: Target): void {
    const leaves = this.#onlyLeaf;
    this.#onlyLeaf = undefined;
    if (leaves !== undefined) target.addLeaves(leaves);
  }

  #sharedRoot(leaves: BuiltLeaves): number {
    const [leaf] = leaves;
    assert(leaf !== undefined, 'a root is one leaf');
    this.#tm.inc(leaf.block);
    return leaf.block;
  }

  /** Writes all that is left, and the superblock last. Three flushes in all. */
  superblockEnd(): void {
    const superblock = this.#superblock;
    if (superblock === undefined) throw new StateError('missing superblock');
    this.#refuseUnless(this.#target === undefined, 'end the superblock');
    const tm = this.#tm;
    this.#count();
    for (const leaves of this.#defs.values()) releaseLeaves(tm, this.#valueType, leaves);
    const { mappingRoot, detailsRoot } = this.#writeDevices();
    const dataSpaceMapRoot = writeDataSpaceMap(tm, this.#dataCounts);
    this.#bulk.finish((slab, base, metadataSpaceMapRoot) => {
      writeFixedFields(slab, base, superblock.dataBlockSize, this.#bulk.nrBlocks);
      writeCommittedFields(slab, base, {
        flags: 0,
        time: superblock.time,
        transactionId: superblock.transaction,
        heldRoot: 0,
        dataSpaceMapRoot,
        metadataSpaceMapRoot,
        dataMappingRoot: mappingRoot,
        deviceDetailsRoot: detailsRoot,
      });
    });
  }

  #writeDevices(): { mappingRoot: number; detailsRoot: number } {
    const devices = this.#devices.sort((a, b) => a.device.devId - b.device.devId);
    const details = new BtreeBuilder(this.#tm, DEVICE_DETAILS_TYPE);
    for (const { device } of devices) {
      details.add(0, device.devId, {
        mappedBlocks: device.mappedBlocks,
        transactionId: device.transaction,
        creationTime: device.creationTime,
        snapshottedTime: device.snapTime,
      });
    }
    const detailsRoot = details.finish();
    const topLevel = new BtreeBuilder(this.#tm, PLAIN_U64);
    for (const { device, root } of devices) topLevel.add(0, device.devId, root);
    return { mappingRoot: topLevel.finish(), detailsRoot };
  }

  #refuseUnless(condition: boolean, action: string): void {
    assert(this.#superblock !== undefined, 'a superblock comes before all else');
    if (!condition) throw new StateError(`Cannot ${action}: the parts of a pool come one after the other, each once`);
  }
}

/** Restores a pool from XML, as `thin_restore` does. @see readThinXml, and {@link ThinRestore}, for what it throws. */
export function restoreThinXml(
  device: BlockDevice,
  xml: string,
  options: ThinRestoreOptions & ReadThinXmlOptions = {},
): void {
  readThinXml([new TextEncoder().encode(xml)], new ThinRestore(device, options), options);
}

/** Mappings, whose references to data blocks are counted when a leaf is copied or given up. */
function countedMappings(counts: ReferenceCounter): ValueType<BlockTime> {
  return {
    name: 'block_time',
    size: 8,
    read: (slab, at) => ({ dataBlock: dataBlockAt(slab, at), time: timeAt(slab, at) }),
    write: (slab, at, { dataBlock, time }) => writeBlockTime(slab, at, dataBlock, time),
    inc: (slab, at, count) => {
      for (let i = 0; i < count; i++) counts.inc(dataBlockAt(slab, at + 8 * i));
    },
    dec: (slab, at, count) => {
      for (let i = 0; i < count; i++) counts.dec(dataBlockAt(slab, at + 8 * i));
    },
  };
}
