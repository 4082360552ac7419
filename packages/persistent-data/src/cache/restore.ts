import { NoSpaceError, type Slab, StateError } from '../base/index.ts';
import { wordsFor } from '../bitset/index.ts';
import { BulkTransaction } from '../disk-space-map/index.ts';
import {
  arrayEntriesFor,
  CACHE_FLAG_CLEAN_SHUTDOWN,
  CACHE_MAPPING_DIRTY,
  CACHE_MAPPING_VALID,
  CACHE_SUPERBLOCK_VALIDATOR,
  type SpaceMapRoot,
} from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { ElementWriter } from './element-writer.ts';
import { MAX_ORIGIN_BLOCK, writeEntry } from './mapping.ts';
import { type CachePolicy, hintSizeProblem, NO_POLICY, policyNameProblem } from './policy.ts';
import {
  type CacheVersion,
  isCacheBlockSize,
  NO_STATISTICS,
  writeCommittedFields,
  writeFixedFields,
} from './superblock.ts';
import type { CacheVisitor, CacheXmlSuperblock } from './visitor.ts';
import { readCacheXml } from './xml-reader.ts';

/** How to restore. */
export interface CacheRestoreOptions {
  /** Of the metadata to be written. Default 2. */
  readonly version?: CacheVersion;
  /** Leaves the flag of an orderly end clear: who opens it takes every block for dirty. */
  readonly omitCleanShutdown?: boolean;
  /** Blocks of cache; blocks are written when it is full. Default 1024 (4 MiB), at least 32. */
  readonly cacheBlocks?: number;
}

/** What an unfinished restore says of itself. */
const UNFINISHED =
  'A cache is being restored here. If nobody is at it, the restore did not come to its end: do it again.\n';

/** The list that is being filled. */
type Stage = 'begin' | 'mappings' | 'between' | 'hints' | 'end';

/**
 * Writes a cache's metadata onto a device, as it is told of it: the other end of a dump. Arrays come out full, one block after the other. The cache is
 * there, and durable, when `superblockEnd` returns. Before, from `superblockBegin` on, no tool takes what is on the device for a cache.
 *
 * Memory: the cache, a bit per cache block and two bytes per metadata block. After an exception the restore cannot go on.
 *
 * @example
 * ```ts
 * readCacheXml([new TextEncoder().encode(xml)], new CacheRestore(device));
 * ```
 */
export class CacheRestore implements CacheVisitor {
  readonly #bulk: BulkTransaction;
  readonly #version: CacheVersion;
  readonly #flags: number;
  #superblock: CacheXmlSuperblock | undefined;
  #stage: Stage = 'begin';
  #last = -1;
  #mappings: ElementWriter | undefined;
  #hints: ElementWriter | undefined;
  /** Version 2. */
  #dirty = new Uint32Array(0);
  #discardRoot = 0;
  #mappingRoot = 0;
  #dirtyRoot = 0;
  #hintRoot = 0;
  #hintSize = 0;

  /** Writes nothing yet. @throws {RangeError} when the cache is too small. */
  constructor(
    device: BlockDevice,
    { version = 2, omitCleanShutdown = false, cacheBlocks = 1024 }: CacheRestoreOptions = {},
  ) {
    this.#bulk = new BulkTransaction(device, CACHE_SUPERBLOCK_VALIDATOR, cacheBlocks);
    this.#version = version;
    this.#flags = omitCleanShutdown ? 0 : CACHE_FLAG_CLEAN_SHUTDOWN;
  }

  /**
   * Destroys what is on the device.
   * @throws {RangeError} when the block size, the policy's name or the width of hints is none that a cache may have.
   * @throws {NoSpaceError} when the device has no room for arrays of so many cache blocks.
   */
  superblockBegin(superblock: CacheXmlSuperblock): void {
    if (this.#superblock !== undefined) throw new StateError('duplicated superblock');
    const { blockSize, nrCacheBlocks, policy, hintWidth } = superblock;
    if (!isCacheBlockSize(blockSize)) throw new RangeError(`invalid cache block size: found ${blockSize} sectors`);
    const problem = policyNameProblem(policy) ?? hintSizeProblem(hintWidth);
    if (problem !== undefined) throw new RangeError(`Cannot restore policy "${policy}": ${problem}`);
    // Before anything is made that is as large as the cache says it is.
    const nrWanted = Math.ceil(nrCacheBlocks / arrayEntriesFor(8));
    if (nrWanted >= this.#bulk.nrBlocks) {
      const wanted = `${nrCacheBlocks} cache blocks want more than ${nrWanted} blocks`;
      throw new NoSpaceError(`Cannot restore: ${wanted}, the device has ${this.#bulk.nrBlocks}`, 'metadata');
    }
    this.#superblock = superblock;
    this.#bulk.begin(UNFINISHED, (slab, base) => writeFixedFields(slab, base, this.#version, blockSize));
    this.#discardRoot = new ElementWriter(this.#bulk.tm, 8, 0).finish();
  }

  mappingsBegin(): void {
    const { nrCacheBlocks } = this.#enter('begin', 'mappings');
    this.#mappings = new ElementWriter(this.#bulk.tm, 8, nrCacheBlocks);
    if (this.#version === 2) this.#dirty = new Uint32Array(2 * wordsFor(nrCacheBlocks));
  }

  /** @throws {RangeError} when cache blocks do not rise, or are beyond the cache, or the origin block does not fit into 48 bits. */
  mapping(cacheBlock: number, originBlock: number, dirty: boolean): void {
    const mappings = this.#mappings;
    if (mappings === undefined || this.#stage !== 'mappings') throw new StateError('Cannot restore a mapping now');
    this.#refuseBlock(cacheBlock);
    if (!(originBlock >= 0 && originBlock <= MAX_ORIGIN_BLOCK)) {
      throw new RangeError(
        `Cannot restore cache block ${cacheBlock}: found origin block ${originBlock}, it has 48 bits`,
      );
    }
    let flags = CACHE_MAPPING_VALID;
    if (dirty) {
      if (this.#version === 1) flags |= CACHE_MAPPING_DIRTY;
      else this.#dirty[cacheBlock >>> 5]! |= 1 << (cacheBlock & 31);
    }
    const at = mappings.at(cacheBlock);
    writeEntry(mappings.words, at, originBlock, flags);
  }

  mappingsEnd(): void {
    this.#enter('mappings', 'between');
    this.#mappingRoot = this.#mappings?.finish() ?? 0;
    this.#mappings = undefined;
    if (this.#version === 2) this.#dirtyRoot = this.#writeBits(this.#dirty);
    this.#dirty = new Uint32Array(0);
  }

  hintsBegin(): void {
    const { nrCacheBlocks, hintWidth } = this.#enter('between', 'hints');
    this.#hintSize = hintWidth;
    if (hintWidth > 0) this.#hints = new ElementWriter(this.#bulk.tm, 4, nrCacheBlocks);
  }

  /** @throws {RangeError} as {@link mapping}. */
  hint(cacheBlock: number, value: number): void {
    if (this.#stage !== 'hints') throw new StateError('Cannot restore a hint now');
    this.#refuseBlock(cacheBlock);
    // Hints of no width, as 0.9.0 leaves them, have their width after all.
    this.#hintSize = 4;
    this.#hints ??= new ElementWriter(this.#bulk.tm, 4, this.#superblock?.nrCacheBlocks ?? 0);
    const hints = this.#hints;
    const at = hints.at(cacheBlock);
    hints.words[at] = value;
  }

  hintsEnd(): void {
    this.#enter('hints', 'end');
    this.#hintRoot = this.#hints?.finish() ?? 0;
    this.#hints = undefined;
  }

  /** Writes all that is left, and the superblock last. Three flushes in all. */
  superblockEnd(): void {
    const superblock = this.#enter('end', 'end');
    this.#bulk.finish((slab, base, root) => this.#fill(slab, base, superblock, root));
  }

  #fill(slab: Slab, base: number, superblock: CacheXmlSuperblock, metadataSpaceMapRoot: SpaceMapRoot): void {
    const { blockSize, nrCacheBlocks, policy } = superblock;
    writeFixedFields(slab, base, this.#version, blockSize);
    writeCommittedFields(slab, base, {
      flags: this.#flags,
      version: this.#version,
      policy: restoredPolicy(policy, this.#hintSize),
      metadataSpaceMapRoot,
      mappingRoot: this.#mappingRoot,
      hintRoot: this.#hintRoot,
      discardRoot: this.#discardRoot,
      discardBlockSize: 0,
      discardNrBlocks: 0,
      cacheBlocks: nrCacheBlocks,
      dirtyRoot: this.#dirtyRoot,
      ...NO_STATISTICS,
    });
  }

  #writeBits(bits: Uint32Array): number {
    const writer = new ElementWriter(this.#bulk.tm, 8, bits.length / 2);
    for (let i = 0; i < bits.length; i += 2) {
      if (bits[i] === 0 && bits[i + 1] === 0) continue;
      const at = writer.at(i / 2);
      writer.words[at] = bits[i]!;
      writer.words[at + 1] = bits[i + 1]!;
    }
    return writer.finish();
  }

  #enter(from: Stage, to: Stage): CacheXmlSuperblock {
    if (this.#superblock === undefined) throw new StateError('missing superblock');
    if (this.#stage !== from) {
      throw new StateError(
        `Cannot restore: the parts of a cache come one after the other, found ${to} after ${this.#stage}`,
      );
    }
    this.#stage = to;
    this.#last = -1;
    return this.#superblock;
  }

  #refuseBlock(cacheBlock: number): void {
    const nrCacheBlocks = this.#superblock?.nrCacheBlocks ?? 0;
    if (!(cacheBlock < nrCacheBlocks)) {
      throw new RangeError(`Cannot restore cache block ${cacheBlock}: the cache has ${nrCacheBlocks}`);
    }
    if (!(cacheBlock > this.#last)) {
      throw new RangeError(`Cannot restore cache block ${cacheBlock}: it comes behind ${this.#last}`);
    }
    this.#last = cacheBlock;
  }
}

/** Restores a cache from XML, as `cache_restore` does. @see readCacheXml, and {@link CacheRestore}, for what it throws. */
export function restoreCacheXml(device: BlockDevice, xml: string, options: CacheRestoreOptions = {}): void {
  readCacheXml([new TextEncoder().encode(xml)], new CacheRestore(device, options));
}

/** XML has no version: the tools write that of smq. Metadata without a policy keeps none. */
function restoredPolicy(name: string, hintSize: number): CachePolicy {
  return name === '' ? { ...NO_POLICY, hintSize } : { name, version: [2, 0, 0], hintSize };
}
