import { PersistentArray } from '../array/index.ts';
import { Bitset } from '../bitset/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { PLAIN_U32 } from '../btree/index.ts';
import { createMetadata, type Metadata, type MetadataSpaceMap, openMetadata } from '../disk-space-map/index.ts';
import { CACHE_SUPERBLOCK_VALIDATOR, METADATA_BLOCK_SIZE, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { CACHE_ENTRY, type CacheEntry } from './mapping.ts';
import { type CachePolicy, NO_POLICY } from './policy.ts';
import {
  type CacheStatistics,
  type CacheSuperblock,
  type CacheVersion,
  changeFlags,
  NO_STATISTICS,
  readCacheSuperblock,
  refuseRootsOutside,
  supportedVersion,
  writeCommittedFields,
  writeFixedFields,
} from './superblock.ts';

/** A cache's arrays and bitsets, by their roots. */
interface Roots {
  readonly mappingRoot: number;
  readonly hintRoot: number;
  readonly discards: Bitset;
  /** Of version 2. */
  readonly dirty: Bitset | undefined;
}

/**
 * A cache's metadata in core, from one opening to the next: the space map, the arrays and bitsets, their roots, and what else a commit writes into
 * the superblock. A rollback throws it away and opens another.
 */
export class CacheCore {
  readonly blockManager: BlockManager;
  readonly tm: TransactionManager;
  readonly spaceMap: MetadataSpaceMap;
  readonly version: CacheVersion;
  readonly dataBlockSizeSectors: number;
  readonly mappings: PersistentArray<CacheEntry>;
  readonly hints: PersistentArray<number>;
  readonly discards: Bitset;
  /** Of version 2; made anew at each orderly end. */
  dirty: Bitset | undefined;
  mappingRoot: number;
  hintRoot: number;
  flags = 0;
  policy: CachePolicy = NO_POLICY;
  statistics: CacheStatistics = NO_STATISTICS;
  /** Length of the arrays. */
  cacheBlocks = 0;
  discardBlockSizeSectors = 0;
  discardNrBlocks = 0;

  private constructor(
    blockManager: BlockManager,
    { tm, spaceMap }: Metadata,
    version: CacheVersion,
    dataBlockSizeSectors: number,
    makeRoots: (mappings: PersistentArray<CacheEntry>) => Roots,
  ) {
    this.blockManager = blockManager;
    this.tm = tm;
    this.spaceMap = spaceMap;
    this.version = version;
    this.dataBlockSizeSectors = dataBlockSizeSectors;
    this.mappings = new PersistentArray(tm, CACHE_ENTRY);
    this.hints = new PersistentArray(tm, PLAIN_U32);
    const roots = makeRoots(this.mappings);
    this.mappingRoot = roots.mappingRoot;
    this.hintRoot = roots.hintRoot;
    this.dirty = roots.dirty;
    this.discards = roots.discards;
  }

  /** Formats a device whose superblock is of no value any more: no cache blocks. Not committed. */
  static format(blockManager: BlockManager, version: CacheVersion, dataBlockSizeSectors: number): CacheCore {
    const metadata = createMetadata(blockManager);
    const { tm } = metadata;
    const core = new CacheCore(blockManager, metadata, version, dataBlockSizeSectors, (mappings) => {
      // In this order: it decides the places.
      const mappingRoot = mappings.empty();
      const dirty = version === 2 ? Bitset.create(tm, 0) : undefined;
      return { mappingRoot, hintRoot: 0, dirty, discards: Bitset.create(tm, 0) };
    });
    const base = blockManager.writeLockZero(SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
    writeFixedFields(blockManager.slab, base, version, dataBlockSizeSectors);
    blockManager.unlock(base);
    return core;
  }

  /** Opens what a superblock says. */
  static open(blockManager: BlockManager, superblock: CacheSuperblock): CacheCore {
    refuseRootsOutside(superblock, blockManager.nrBlocks);
    const metadata = openMetadata(blockManager, superblock.metadataSpaceMapRoot);
    const { tm } = metadata;
    const { mappingRoot, hintRoot, dirtyRoot, discardRoot } = superblock;
    const version = supportedVersion(superblock);
    const core = new CacheCore(blockManager, metadata, version, superblock.dataBlockSize, () => ({
      mappingRoot,
      hintRoot,
      dirty: version === 2 ? new Bitset(tm, dirtyRoot) : undefined,
      discards: new Bitset(tm, discardRoot),
    }));
    core.flags = superblock.flags;
    core.policy = superblock.policy;
    const { readHits, readMisses, writeHits, writeMisses } = superblock;
    core.statistics = { readHits, readMisses, writeHits, writeMisses };
    core.cacheBlocks = superblock.cacheBlocks;
    core.discardBlockSizeSectors = superblock.discardBlockSize;
    core.discardNrBlocks = superblock.discardNrBlocks;
    return core;
  }

  /** Whether a device's superblock is all zeros: nobody has made metadata there. */
  static isBlank(device: BlockDevice): boolean {
    const bytes = new Uint8Array(METADATA_BLOCK_SIZE);
    device.read(SUPERBLOCK_LOCATION, [bytes]);
    return bytes.every((byte) => byte === 0);
  }

  /** Reads and decodes the superblock on the disk. @throws {CorruptionError} when it is not one. */
  static readSuperblock(blockManager: BlockManager): CacheSuperblock {
    const base = blockManager.read(SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
    return readCacheSuperblock(blockManager.slab, base);
  }

  /** Bitsets, metadata and flush; superblock and flush. What throws leaves the transaction broken. */
  commit(flags: number): void {
    try {
      const dirtyRoot = this.dirty?.flush() ?? 0;
      const discardRoot = this.discards.flush();
      this.tm.preCommit();
      const base = this.blockManager.writeLock(SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
      writeCommittedFields(this.blockManager.slab, base, {
        flags,
        version: this.version,
        policy: this.policy,
        metadataSpaceMapRoot: this.spaceMap.root,
        mappingRoot: this.mappingRoot,
        hintRoot: this.hintRoot,
        discardRoot,
        dirtyRoot,
        discardBlockSize: this.discardBlockSizeSectors,
        discardNrBlocks: this.discardNrBlocks,
        cacheBlocks: this.cacheBlocks,
        ...this.statistics,
      });
      this.tm.commit(base);
      this.flags = flags;
    } catch (error) {
      // In core this commit is done, on the disk it is not.
      this.tm.markBroken(error);
      throw error;
    }
  }

  /**
   * Changes flags of the superblock on the disk, outside any transaction, and makes that durable. The caller has nothing changed: a flush would
   * write it out.
   */
  changeFlagsNow(change: (flags: number) => number): void {
    const { blockManager } = this;
    const base = blockManager.writeLock(SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
    changeFlags(blockManager.slab, base, change);
    blockManager.unlock(base);
    blockManager.flush();
    this.flags = change(this.flags);
  }
}
