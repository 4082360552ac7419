import { BulkArrayChecker } from '../array/index.ts';
import type { Finding } from '../base/index.ts';
import {
  beginCheck,
  type CheckedSuperblock,
  CheckTally,
  type CountedSpaceMap,
  changeSuperblock,
  compareCounts,
  countMetadataSpaceMap,
  countsIncomplete,
  type MetadataCheckOptions,
  readSuperblock,
  repairLeaks,
  type TreeChecker,
} from '../disk-space-map/index.ts';
import { CACHE_FLAG_NEEDS_CHECK, CACHE_SUPERBLOCK_VALIDATOR, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type ArrayKind, checkDirtyBits, checkDiscards, checkHints, checkMappings } from './check-arrays.ts';
import { checkSuperblock } from './check-superblock.ts';
import { type CacheSuperblock, changeFlags, needsCheck, readCacheSuperblock } from './superblock.ts';

const SUPERBLOCK: CheckedSuperblock<CacheSuperblock> = {
  validator: CACHE_SUPERBLOCK_VALIDATOR,
  code: 'cache.superblock',
  read: readCacheSuperblock,
};

/** What a check is at. In this order; an option may leave some out. */
export type CacheCheckPhase = 'superblock' | 'mappings' | 'dirty-bits' | 'hints' | 'discards' | 'metadata-space-map';

/** What to check, and whom to tell how far it is. Leaving anything out leaves the space map out as well. */
export interface CacheCheckOptions extends MetadataCheckOptions {
  /** The superblock and nothing else. */
  readonly superblockOnly?: boolean;
  /** No mappings, nor dirty bits. */
  readonly skipMappings?: boolean;
  readonly skipHints?: boolean;
  readonly skipDiscards?: boolean;
  /** Called when a phase begins. */
  readonly onPhase?: (phase: CacheCheckPhase) => void;
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
  readonly #tally: CheckTally = new CheckTally();

  constructor(device: BlockDevice, options: CacheCheckOptions = {}) {
    this.#device = device;
    this.#options = options;
  }

  /** Checks, once. Everything that is wrong is yielded, and after damage as much else is checked as can be. */
  *run(): Generator<Finding, void> {
    yield* this.#tally.count(this.#findings());
  }

  *#findings(): Generator<Finding, void> {
    const { superblockOnly, skipMappings, skipHints, skipDiscards, onPhase } = this.#options;
    onPhase?.('superblock');
    const superblock = yield* readSuperblock(this.#device, SUPERBLOCK_LOCATION, SUPERBLOCK);
    if (superblock === undefined) return;
    this.superblock = superblock;
    const isUsable = yield* checkSuperblock(superblock, this.#device.nrBlocks);
    if (superblockOnly || !isUsable) return;
    const checker = beginCheck(this.#device, SUPERBLOCK, superblock.metadataSpaceMapRoot, this.#options);
    this.#checker = checker;
    const isWhole = yield* this.#checkArrays(new BulkArrayChecker(checker), superblock);
    if (skipMappings || skipHints || skipDiscards) return;
    onPhase?.('metadata-space-map');
    if (!isWhole) yield countsIncomplete('cache');
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
    return this.#tally.nrLeaks > 0 || (this.superblock !== undefined && needsCheck(this.superblock));
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
    this.#tally.refuseRepair(superblock !== undefined && checker !== undefined && metadata !== undefined);
    let nrMetadataLeaks = 0;
    if (this.#tally.nrLeaks > 0) {
      nrMetadataLeaks = repairLeaks(checker, metadata, checker.counts);
      this.#device.flush();
    }
    const clearedNeedsCheck = needsCheck(superblock);
    if (clearedNeedsCheck)
      changeSuperblock(this.#device, SUPERBLOCK, (slab, base) =>
        changeFlags(slab, base, (flags) => flags & ~CACHE_FLAG_NEEDS_CHECK),
      );
    return { nrMetadataLeaks, clearedNeedsCheck };
  }
}
