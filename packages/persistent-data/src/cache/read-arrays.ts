import { BulkArrayChecker, type BulkCheckedArray } from '../array/index.ts';
import { CorruptionError, type Finding } from '../base/index.ts';
import { BITS_PER_WORD, wordsFor } from '../bitset/index.ts';
import { BlockScanner, TreeChecker } from '../disk-space-map/index.ts';
import { CACHE_MAPPING_VALID, CACHE_SUPERBLOCK_VALIDATOR, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { ArrayKind } from './check-arrays.ts';
import { flagsAt, isDirtyEntry, originAt } from './mapping.ts';
import { type CacheSuperblock, isCleanShutdown, readCacheSuperblock, supportedVersion } from './superblock.ts';

/** What is done about what cannot be read. Without it, reading ends there, with a `CorruptionError`. */
export type OnLost = (kind: ArrayKind, finding: Finding) => void;

export interface ReadCacheOptions {
  readonly onLost?: OnLost;
  /** Called now and then with the metadata blocks read so far, of those that are allocated as the superblock says. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Reads the arrays of a cache's metadata at rest, each once, block by block in bulk: for dumps, repairs, and whoever asks what is dirty. What is read
 * is believable; references are not compared with the space map.
 */
export class CacheReader {
  readonly superblock: CacheSuperblock;
  readonly #arrays: BulkArrayChecker;
  readonly #onLost: OnLost | undefined;

  /** @throws {CorruptionError} when the superblock cannot be believed. @throws {UnsupportedError} when its version is not known. */
  constructor(device: BlockDevice, { onLost, onProgress }: ReadCacheOptions = {}) {
    this.superblock = readSuperblockOf(device);
    supportedVersion(this.superblock);
    this.#onLost = onLost;
    const total = Math.min(this.superblock.metadataSpaceMapRoot.nrAllocated, device.nrBlocks);
    const onRead = onProgress && ((done: number): void => onProgress(Math.min(done, total), total));
    this.#arrays = new BulkArrayChecker(new TreeChecker(device, { ignoreNonFatal: true, ...(onRead && { onRead }) }));
  }

  /**
   * Reads dirty bits, version 2: answers a test of cache blocks. Blocks whose bits cannot be read are dirty. Takes a bit of memory per cache block that
   * is there.
   */
  dirtyBits(): (cacheBlock: number) => boolean {
    const { dirtyRoot, cacheBlocks } = this.superblock;
    // By array block: so that a length that is claimed costs nothing.
    const parts = new Map<number, Uint32Array>();
    let perPart = 0;
    this.#read('dirty-bits', {
      kind: 3,
      valueSize: 8,
      root: dirtyRoot,
      length: wordsFor(cacheBlocks),
      visit: (words, at, nr, first) => {
        parts.set(first, words.slice(at, at + 2 * nr));
        if (first === 0) perPart = nr;
      },
    });
    const bitsPerPart = Math.max(perPart, WORDS_PER_ARRAY_BLOCK) * BITS_PER_WORD;
    return (cacheBlock) => {
      const part = Math.floor(cacheBlock / bitsPerPart);
      const bit = cacheBlock - part * bitsPerPart;
      const word = parts.get(part * (bitsPerPart / BITS_PER_WORD))?.[bit >>> 5];
      return word === undefined || (word & (1 << (bit & 31))) !== 0;
    };
  }

  /** Visits all mapped blocks in order, dirty as they are stored. Origin blocks are what they are. */
  mappings(visit: (cacheBlock: number, originBlock: number, dirty: boolean) => void): void {
    const { mappingRoot, cacheBlocks, version } = this.superblock;
    const isDirty = version === 2 ? this.dirtyBits() : undefined;
    let end = 0;
    this.#read('mappings', {
      kind: 0,
      valueSize: 8,
      root: mappingRoot,
      length: cacheBlocks,
      visit: (words, begin, nr, first) => {
        // A damaged tree may lead to blocks again, or out of order.
        if (first < end) return;
        end = first + nr;
        for (let i = 0, at = begin; i < nr; i++, at += 2) {
          if ((words[at]! & CACHE_MAPPING_VALID) === 0) continue;
          const dirty = isDirty === undefined ? isDirtyEntry(flagsAt(words, at)) : isDirty(first + i);
          visit(first + i, originAt(words, at), dirty);
        }
      },
    });
  }

  /** Visits the hints of all blocks, mapped or not, in order. None where there are none. */
  hints(visit: (cacheBlock: number, value: number) => void): void {
    const { hintRoot, cacheBlocks, policy } = this.superblock;
    if (hintRoot === 0) return;
    // 0.9.0 of the tools restores hints and forgets to say how wide they are.
    if (policy.hintSize !== 4 && policy.hintSize !== 0) {
      const message = `Cannot read hints: superblock policyHintSize is ${policy.hintSize}, 4 is wanted`;
      this.#lost('hints', { severity: 'fatal', code: 'cache.hint-size', message, block: SUPERBLOCK_LOCATION });
      return;
    }
    let end = 0;
    this.#read('hints', {
      kind: 1,
      valueSize: 4,
      root: hintRoot,
      length: cacheBlocks,
      visit: (words, at, nr, first) => {
        if (first < end) return;
        end = first + nr;
        for (let i = 0; i < nr; i++) visit(first + i, words[at + i]!);
      },
    });
  }

  #read(kind: ArrayKind, array: BulkCheckedArray & { readonly root: number }): void {
    const check = this.#arrays.check(array.root, array);
    let first: Finding | undefined;
    let step = check.next();
    for (; !step.done; step = check.next()) {
      if (step.value.severity !== 'fatal' || (kind === 'hints' && this.#mayLack(step.value))) continue;
      first ??= step.value;
      this.#lost(kind, step.value);
    }
    // Without mappings there is nothing to go on with.
    if (kind === 'mappings' && step.value.rootIsLost && first !== undefined) throw corruption(first);
  }

  /** A cache that grew gets hints for its new blocks when it is shut down in order. */
  #mayLack({ code }: Finding): boolean {
    return !isCleanShutdown(this.superblock) && ['array.gap', 'array.not-full', 'array.too-short'].includes(code);
  }

  #lost(kind: ArrayKind, finding: Finding): void {
    if (this.#onLost === undefined) throw corruption(finding);
    this.#onLost(kind, finding);
  }
}

/** Words of a bitset in an array block. */
const WORDS_PER_ARRAY_BLOCK = 509;

function corruption({ message, block, path }: Finding): CorruptionError {
  return new CorruptionError(message, { ...(block === undefined ? {} : { block }), ...(path && { path }) });
}

function readSuperblockOf(device: BlockDevice): CacheSuperblock {
  const scanner = new BlockScanner(device, 1);
  scanner.loadOne(SUPERBLOCK_LOCATION);
  const problem = scanner.problem(0, SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
  if (problem === undefined) return readCacheSuperblock(scanner.slab, 0);
  if (!(problem instanceof CorruptionError)) throw problem;
  // As the tools say it; what exactly is wrong is in the place.
  const text = problem.field === 'csum' ? 'bad checksum in superblock' : problem.message;
  const { kind = 'cache_superblock', field = 'csum', found = 0, expected = '' } = problem;
  throw new CorruptionError(text, { block: SUPERBLOCK_LOCATION, kind, field, found, expected }, { cause: problem });
}
