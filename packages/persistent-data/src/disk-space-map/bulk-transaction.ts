import { NoSpaceError, Slab } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import {
  type BlockValidator,
  MAX_METADATA_BLOCKS,
  METADATA_BLOCK_SIZE,
  type SpaceMapRoot,
  SUPERBLOCK_LOCATION,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { CoreSpaceMap } from '../space-map/index.ts';
import { TransactionManager } from '../transaction-manager/index.ts';
import { type FinalCounts, writeMetadataSpaceMap } from './write-space-map.ts';

/** Writes the fields of a superblock into a zeroed block at word offset `base`. */
export type FillSuperblock = (slab: Slab, base: number, metadataSpaceMapRoot: SpaceMapRoot) => void;

/** Where an unfinished superblock says what it is: behind all fields of every target's. */
const UNFINISHED_AT = 1024;

/**
 * Writes all metadata of a device in one transaction, over whatever is there: what a restore does. Reference counts are kept in core and written
 * down at the end. From {@link begin} on no tool takes what is on the device for metadata, until {@link finish} has returned.
 *
 * Memory: the cache, and two bytes per metadata block.
 */
export class BulkTransaction {
  readonly tm: TransactionManager;
  readonly #device: BlockDevice;
  readonly #blockManager: BlockManager;
  readonly #counts: CoreSpaceMap;
  readonly #validator: BlockValidator;

  /**
   * Writes nothing yet.
   * @param validator - Of the superblock.
   * @param cacheBlocks - Blocks are written when it is full; at least 32.
   */
  constructor(device: BlockDevice, validator: BlockValidator, cacheBlocks: number) {
    this.#device = device;
    this.#validator = validator;
    this.#blockManager = new BlockManager(device, { cacheBlocks });
    this.#counts = new CoreSpaceMap(Math.min(device.nrBlocks, MAX_METADATA_BLOCKS));
    this.tm = new TransactionManager(this.#blockManager, this.#counts);
  }

  /** Metadata blocks that there are. */
  get nrBlocks(): number {
    return this.#counts.nrBlocks;
  }

  /**
   * Destroys what is on the device: durable at once, so that whatever happens, nobody takes the old superblock with new blocks for metadata.
   * What is there instead has the target's magic number and a wrong checksum: of zeros a kernel would make a new device.
   *
   * @param text - What a look at the block shows.
   * @throws {NoSpaceError} when the device has no block.
   */
  begin(text: string, fill: FillSuperblock): void {
    if (this.nrBlocks === 0) throw new NoSpaceError('Cannot restore: the device has no block', 'metadata');
    this.#counts.setCount(SUPERBLOCK_LOCATION, 1);
    const slab = Slab.ofSize(METADATA_BLOCK_SIZE);
    fill(slab, 0, { nrBlocks: 0, nrAllocated: 0, bitmapRoot: 0, refCountRoot: 0 });
    slab.bytes.set(new TextEncoder().encode(text), UNFINISHED_AT);
    this.#validator.seal(slab, 0, SUPERBLOCK_LOCATION);
    slab.words[0] = ~slab.words[0]!;
    this.#device.write(SUPERBLOCK_LOCATION, [slab.bytes]);
    this.#device.flush();
  }

  /** Writes the metadata space map, all blocks, and the superblock last. Two flushes. */
  finish(fill: FillSuperblock): void {
    const { tm } = this;
    const root = writeMetadataSpaceMap(tm, finalCounts(this.#counts));
    tm.preCommit();
    const base = this.#blockManager.writeLockZero(SUPERBLOCK_LOCATION, this.#validator);
    fill(this.#blockManager.slab, base, root);
    tm.commit(base);
  }
}

/** The counts of a map in core, for writing them down. */
function finalCounts(map: CoreSpaceMap): FinalCounts {
  return {
    nrBlocks: map.nrBlocks,
    count: (b) => map.getCount(b),
    copyBytes: (begin, target) => {
      for (let i = 0; i < target.length; i++) target[i] = Math.min(map.getCount(begin + i), 255);
    },
  };
}
