import { BulkArrayChecker } from '../array/index.ts';
import { assert, type Finding, StateError } from '../base/index.ts';
import {
  BlockScanner,
  type CountedSpaceMap,
  compareCounts,
  countMetadataSpaceMap,
  repairLeaks,
  TreeChecker,
} from '../disk-space-map/index.ts';
import { CACHE_FLAG_NEEDS_CHECK, CACHE_SUPERBLOCK_VALIDATOR, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type ArrayKind, checkDirtyBits, checkDiscards, checkHints, checkMappings } from './check-arrays.ts';
import { checkSuperblock } from './check-superblock.ts';
import { type CacheSuperblock, changeFlags, needsCheck, readCacheSuperblock } from './superblock.ts';

/** What a check is at. In this order; an option may leave some out. */
export type CacheCheckPhase = 'superblock' | 'mappings' | 'dirty-bits' | 'hints' | 'discards' | 'metadata-space-map';

/** What to check, and whom to tell how far it is. Leaving anything out leaves the space map out as well. */
export interface CacheCheckOptions {
  /** The superblock and nothing else. */
  readonly superblockOnly?: boolean;
  /** No mappings, nor dirty bits. */
  readonly skipMappings?: boolean;
  readonly skipHints?: boolean;
  readonly skipDiscards?: boolean;
  /** Reports under-full nodes as warnings. Default false: fatal. Leaks are leaks in any case. */
  readonly ignoreNonFatal?: boolean;
  /** Called when a phase begins. */
  readonly onPhase?: (phase: CacheCheckPhase) => void;
  /** Called now and then with the metadata blocks read so far, of those that are allocated as the superblock says. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What {@link CacheCheck.repair} did. */
export interface CacheRepairOutcome {
  /** Blocks given back. */
  readonly nrMetadataLeaks: number;
  readonly clearedNeedsCheck: boolean;
}

/**
 * Checks a cache's metadata, from its superblock to all reference counts, without writing. Never throws for what it finds on the disk.
 *
 * Reads each metadata block that is in use once; takes a bit of memory per cache block and per origin block up to the highest, and some 30 bytes per
 * metadata block.
 *
 * @example
 * ```ts
 * for (const { severity, message } of checkCache(device)) console.log(severity, message);
 * ```
 */
export function checkCache(device: BlockDevice, options: CacheCheckOptions = {}): Generator<Finding, void> {
  return new CacheCheck(device, options).run();
}

/** A check of a cache, with what it knows afterwards: the superblock, and what could be repaired. */
export class CacheCheck {
  /** As found on the device; `undefined` before {@link run}, and when it cannot be believed. */
  superblock: CacheSuperblock | undefined;
  /** Blocks that were found mapped, and dirty ones among them as they are stored. */
  nrMapped = 0;
  nrDirty = 0;
  readonly #device: BlockDevice;
  readonly #options: CacheCheckOptions;
  #checker: TreeChecker | undefined;
  #metadata: CountedSpaceMap | undefined;
  #nrFatal = 0;
  #nrLeaks = 0;
  #isDone = false;

  constructor(device: BlockDevice, options: CacheCheckOptions = {}) {
    this.#device = device;
    this.#options = options;
  }

  /** Checks, once. Everything that is wrong is yielded, and after damage as much else is checked as can be. */
  *run(): Generator<Finding, void> {
    assert(!this.#isDone, 'a check runs once');
    for (const finding of this.#findings()) {
      if (finding.severity === 'fatal') this.#nrFatal++;
      if (finding.severity === 'leak') this.#nrLeaks++;
      yield finding;
    }
    this.#isDone = true;
  }

  *#findings(): Generator<Finding, void> {
    const {
      superblockOnly,
      skipMappings,
      skipHints,
      skipDiscards,
      onPhase,
      onProgress,
      ignoreNonFatal = false,
    } = this.#options;
    onPhase?.('superblock');
    const superblock = yield* this.#readSuperblock();
    if (superblock === undefined) return;
    this.superblock = superblock;
    const isUsable = yield* checkSuperblock(superblock, this.#device.nrBlocks);
    if (superblockOnly || !isUsable) return;
    const total = Math.min(superblock.metadataSpaceMapRoot.nrAllocated, this.#device.nrBlocks);
    const checker = new TreeChecker(this.#device, {
      ignoreNonFatal,
      ...(onProgress === undefined ? {} : { onRead: (done) => onProgress(Math.min(done, total), total) }),
    });
    this.#checker = checker;
    checker.countBlock(SUPERBLOCK_LOCATION, 'cache_superblock');
    const isWhole = yield* this.#checkArrays(new BulkArrayChecker(checker), superblock);
    if (skipMappings || skipHints || skipDiscards) return;
    onPhase?.('metadata-space-map');
    if (!isWhole) {
      const message = 'Reference counts are only checked for being too low: not all references could be counted';
      yield { severity: 'warning', code: 'cache.counts-incomplete', message };
    }
    const metadata = yield* countMetadataSpaceMap(checker, superblock.metadataSpaceMapRoot);
    this.#metadata = metadata;
    yield* compareCounts(checker, metadata, checker.counts, { isLowerBound: !isWhole });
  }

  /** Answers whether all that was looked at could be read. */
  *#checkArrays(arrays: BulkArrayChecker, superblock: CacheSuperblock): Generator<Finding, boolean> {
    const { skipMappings, skipHints, skipDiscards, onPhase } = this.#options;
    let isWhole = true;
    if (!skipMappings) {
      onPhase?.('mappings');
      const mapped = yield* checkMappings(arrays, superblock);
      this.nrMapped = mapped.nrMapped;
      this.nrDirty = mapped.nrDirty;
      isWhole &&= mapped.isWhole;
      if (superblock.version === 2) {
        onPhase?.('dirty-bits');
        const dirty = yield* checkDirtyBits(arrays, superblock, mapped);
        this.nrDirty = dirty.nrDirty;
        isWhole &&= dirty.isWhole;
      }
    }
    const others: [ArrayKind, boolean | undefined, typeof checkHints][] = [
      ['hints', skipHints, checkHints],
      ['discards', skipDiscards, checkDiscards],
    ];
    for (const [phase, skip, check] of others) {
      if (skip) continue;
      onPhase?.(phase);
      const whole = yield* check(arrays, superblock);
      isWhole &&= whole;
    }
    return isWhole;
  }

  /** Whether {@link repair} would change anything. */
  get needsRepair(): boolean {
    return this.#nrLeaks > 0 || (this.superblock !== undefined && needsCheck(this.superblock));
  }

  /**
   * Writes in place, after a check that found nothing fatal: gives leaked blocks back (records of 1 without a reference become 0; nothing else of the
   * space map changes), then clears the flag needs_check. Two flushes.
   *
   * @throws {StateError} when the check is not over, left something out, or found something fatal.
   * @throws {DeviceError | ReadOnlyError} when the device cannot be written.
   */
  repair(): CacheRepairOutcome {
    const { superblock } = this;
    const checker = this.#checker;
    const metadata = this.#metadata;
    if (!this.#isDone || superblock === undefined || checker === undefined || metadata === undefined)
      throw new StateError('Cannot repair: the check did not come to its end');
    if (this.#nrFatal > 0) throw new StateError(`Cannot repair: the check found ${this.#nrFatal} fatal errors`);
    let nrMetadataLeaks = 0;
    if (this.#nrLeaks > 0) {
      nrMetadataLeaks = repairLeaks(checker, metadata, checker.counts);
      this.#device.flush();
    }
    const clearedNeedsCheck = needsCheck(superblock);
    if (clearedNeedsCheck) clearNeedsCheck(this.#device);
    return { nrMetadataLeaks, clearedNeedsCheck };
  }

  *#readSuperblock(): Generator<Finding, CacheSuperblock | undefined> {
    const scanner = new BlockScanner(this.#device, 1);
    scanner.loadOne(SUPERBLOCK_LOCATION);
    const problem = scanner.problem(0, SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
    if (problem === undefined) return readCacheSuperblock(scanner.slab, 0);
    yield { severity: 'fatal', code: 'cache.superblock', message: problem.message, block: SUPERBLOCK_LOCATION };
    return undefined;
  }
}

/** Clears the flag in place; one write, one flush. */
function clearNeedsCheck(device: BlockDevice): void {
  const scanner = new BlockScanner(device, 1);
  scanner.loadOne(SUPERBLOCK_LOCATION);
  const problem = scanner.problem(0, SUPERBLOCK_LOCATION, CACHE_SUPERBLOCK_VALIDATOR);
  if (problem !== undefined) throw problem;
  changeFlags(scanner.slab, 0, (flags) => flags & ~CACHE_FLAG_NEEDS_CHECK);
  CACHE_SUPERBLOCK_VALIDATOR.seal(scanner.slab, 0, SUPERBLOCK_LOCATION);
  device.write(SUPERBLOCK_LOCATION, [scanner.slab.bytes]);
  device.flush();
}
