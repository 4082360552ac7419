import type { Finding } from '../base/index.ts';
import {
  beginCheck,
  type CheckedSuperblock,
  CheckTally,
  type CountedSpaceMap,
  changeSuperblock,
  compareCounts,
  countDataSpaceMap,
  countMetadataSpaceMap,
  countsIncomplete,
  type MetadataCheckOptions,
  ReferenceCounter,
  readSuperblock,
  repairLeaks,
  type TreeChecker,
} from '../disk-space-map/index.ts';
import { ENTRIES_PER_BITMAP, SUPERBLOCK_LOCATION, THIN_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { CheckedDevices } from './check-devices.ts';
import { ThinImage } from './image.ts';
import type { ThinMetadata } from './metadata.ts';
import { metadataDevice } from './metadata-source.ts';
import { clearNeedsCheck, needsCheck, readThinSuperblock, type ThinSuperblock } from './superblock.ts';

const SUPERBLOCK: CheckedSuperblock<ThinSuperblock> = {
  validator: THIN_SUPERBLOCK_VALIDATOR,
  code: 'thin.superblock',
  read: readThinSuperblock,
};

/** What a check is at. In this order; an option may leave some out. */
export type ThinCheckPhase =
  | 'top-level'
  | 'details'
  | 'mappings'
  | 'metadata-snapshot'
  | 'data-space-map'
  | 'metadata-space-map';

/** What to check, and whom to tell how far it is. */
export interface ThinCheckOptions extends MetadataCheckOptions {
  /** The superblock and nothing else. */
  readonly superblockOnly?: boolean;
  /** The superblock, the list of devices and their details; no mappings and no space maps. */
  readonly skipMappings?: boolean;
  /** Does not look at the space maps and the metadata snapshot: of an older state, whose counts are gone. */
  readonly treesOnly?: boolean;
  /** The metadata snapshot in place of the pool, which may be in use; no space maps. */
  readonly metadataSnapshot?: boolean;
  /** Roots to use in place of those in the superblock: block numbers. */
  readonly overrideMappingRoot?: number;
  readonly overrideDetailsRoot?: number;
  /** Called when a phase begins. */
  readonly onPhase?: (phase: ThinCheckPhase) => void;
}

/** What {@link ThinCheck.repair} did. */
export interface ThinRepairOutcome {
  /** Blocks given back. */
  readonly nrDataLeaks: number;
  readonly nrMetadataLeaks: number;
  readonly clearedNeedsCheck: boolean;
}

/**
 * Checks a pool's metadata, from its superblock to all reference counts, without writing. Never throws for what it finds on the disk.
 *
 * Reads each metadata block that is in use once; takes a byte of memory per data block that is mapped, and 27 per metadata block in use.
 *
 * @example
 * ```ts
 * for (const { severity, message } of checkThin(device)) console.log(severity, message);
 * ```
 */
export function checkThin(
  source: BlockDevice | ThinMetadata,
  options: ThinCheckOptions = {},
): Generator<Finding, void> {
  return new ThinCheck(source, options).run();
}

/** A check of a pool, with what it knows afterwards: the superblock, and what could be repaired. */
export class ThinCheck {
  /** As found on the device; `undefined` before {@link run}, and when it cannot be believed. */
  superblock: ThinSuperblock | undefined;
  readonly #device: BlockDevice;
  readonly #options: ThinCheckOptions;
  #checker: TreeChecker | undefined;
  #dataCounts = new ReferenceCounter(0);
  #data: CountedSpaceMap | undefined;
  #metadata: CountedSpaceMap | undefined;
  readonly #tally: CheckTally = new CheckTally();

  constructor(source: BlockDevice | ThinMetadata, options: ThinCheckOptions = {}) {
    this.#device = metadataDevice(source);
    this.#options = options;
  }

  /** Nodes that could not be believed so far; and how many of them could not be read, or had a wrong checksum. */
  get nodeErrors(): { readonly nodes: number; readonly io: number; readonly checksum: number } {
    const checker = this.#checker;
    return {
      nodes: checker?.nrBadNodes ?? 0,
      io: checker?.nrIoErrors ?? 0,
      checksum: checker?.nrChecksumErrors ?? 0,
    };
  }

  /** Checks, once. Everything that is wrong is yielded, and after damage as much else is checked as can be. */
  *run(): Generator<Finding, void> {
    yield* this.#tally.count(this.#findings());
  }

  *#findings(): Generator<Finding, void> {
    const options = this.#options;
    const superblock = yield* readSuperblock(this.#device, SUPERBLOCK_LOCATION, SUPERBLOCK);
    this.superblock = superblock;
    if (superblock === undefined) return;
    const { heldRoot, dataSpaceMapRoot } = superblock;
    let roots = superblock;
    if (options.metadataSnapshot) {
      const held = yield* this.#readHeldSuperblock(heldRoot);
      if (held === undefined) return;
      roots = held;
    }
    if (options.superblockOnly) return;
    const checker = beginCheck(this.#device, SUPERBLOCK, superblock.metadataSpaceMapRoot, this.#options);
    this.#checker = checker;
    // No more than the device has room to count: the rest is said to be missing when the space map is read.
    const mostDataBlocks = this.#device.nrBlocks * ENTRIES_PER_BITMAP;
    this.#dataCounts = new ReferenceCounter(Math.min(dataSpaceMapRoot.nrBlocks, mostDataBlocks));
    const devices = new CheckedDevices(checker, this.#dataCounts);
    const isWhole = yield* this.#checkTrees(devices, roots);
    if (options.skipMappings || options.treesOnly || options.metadataSnapshot) return;
    const heldIsWhole = heldRoot === 0 || (yield* this.#checkHeld(checker, devices, heldRoot));
    yield* this.#checkSpaceMaps(checker, superblock, isWhole && heldIsWhole);
  }

  *#readHeldSuperblock(heldRoot: number): Generator<Finding, ThinSuperblock | undefined> {
    if (heldRoot !== 0) return yield* readSuperblock(this.#device, heldRoot, SUPERBLOCK);
    yield { severity: 'fatal', code: 'thin.no-snapshot', message: 'no current metadata snap' };
    return undefined;
  }

  /** The devices of the pool, or of the snapshot in its place. Answers whether all is as it should be. */
  *#checkTrees(devices: CheckedDevices, superblock: ThinSuperblock): Generator<Finding, boolean> {
    const { overrideMappingRoot, overrideDetailsRoot, skipMappings, onPhase } = this.#options;
    onPhase?.('top-level');
    const listIsWhole = yield* devices.list(
      {
        mappingRoot: overrideMappingRoot ?? superblock.dataMappingRoot,
        detailsRoot: overrideDetailsRoot ?? superblock.deviceDetailsRoot,
      },
      () => onPhase?.('details'),
    );
    if (skipMappings) return listIsWhole;
    onPhase?.('mappings');
    const mappingsAreWhole = yield* devices.checkMappings();
    return listIsWhole && mappingsAreWhole;
  }

  /** The metadata snapshot: what is not shared with the pool itself. */
  *#checkHeld(checker: TreeChecker, devices: CheckedDevices, heldRoot: number): Generator<Finding, boolean> {
    this.#options.onPhase?.('metadata-snapshot');
    const problem = checker.countBlock(heldRoot, 'thin_superblock');
    if (problem !== undefined) {
      yield { ...problem, code: 'thin.superblock' };
      return false;
    }
    const held = yield* readSuperblock(this.#device, heldRoot, SUPERBLOCK);
    if (held === undefined) return false;
    const snapshot = new CheckedDevices(checker, this.#dataCounts, {
      pool: devices,
      read: () => {
        const image = new ThinImage(this.#device, { metadataSnapshot: heldRoot });
        const mappedBlocks = [...image.details()].map(([id, details]) => [id, details.mappedBlocks] as const);
        return { roots: image.roots(), mappedBlocks: new Map(mappedBlocks) };
      },
    });
    const listIsWhole = yield* snapshot.list({
      mappingRoot: held.dataMappingRoot,
      detailsRoot: held.deviceDetailsRoot,
    });
    const mappingsAreWhole = yield* snapshot.checkMappings();
    return listIsWhole && mappingsAreWhole;
  }

  *#checkSpaceMaps(checker: TreeChecker, superblock: ThinSuperblock, isWhole: boolean): Generator<Finding, void> {
    const { onPhase } = this.#options;
    if (!isWhole) yield countsIncomplete('thin');
    onPhase?.('data-space-map');
    const data = yield* countDataSpaceMap(checker, superblock.dataSpaceMapRoot);
    this.#data = data;
    yield* compareCounts(checker, data, this.#dataCounts, { isLowerBound: !isWhole });
    onPhase?.('metadata-space-map');
    const metadata = yield* countMetadataSpaceMap(checker, superblock.metadataSpaceMapRoot);
    this.#metadata = metadata;
    yield* compareCounts(checker, metadata, checker.counts, { isLowerBound: !(isWhole && data.isWhole) });
  }

  /** Whether {@link repair} would change anything. */
  get needsRepair(): boolean {
    return this.#tally.nrLeaks > 0 || (this.superblock !== undefined && needsCheck(this.superblock));
  }

  /**
   * Writes in place, after a check that found nothing fatal: gives leaked blocks back (records of 1 without a reference become 0; nothing
   * else of a space map changes), then clears the flag needs_check. Two flushes.
   *
   * @param options.leaks - Default true. With false only the flag is cleared, whatever was checked.
   * @throws {StateError} when the check is not over, or found something fatal.
   * @throws {DeviceError | NoSpaceError | ReadOnlyError} when the device cannot be written.
   */
  repair({ leaks = true }: { readonly leaks?: boolean } = {}): ThinRepairOutcome {
    const checker = this.#checker;
    const { superblock } = this;
    this.#tally.refuseRepair(superblock !== undefined);
    let nrDataLeaks = 0;
    let nrMetadataLeaks = 0;
    if (leaks && this.#tally.nrLeaks > 0 && checker !== undefined) {
      if (this.#data) nrDataLeaks = repairLeaks(checker, this.#data, this.#dataCounts);
      if (this.#metadata) nrMetadataLeaks = repairLeaks(checker, this.#metadata, checker.counts);
      this.#device.flush();
    }
    const clearedNeedsCheck = needsCheck(superblock);
    if (clearedNeedsCheck) changeSuperblock(this.#device, SUPERBLOCK, clearNeedsCheck);
    return { nrDataLeaks, nrMetadataLeaks, clearedNeedsCheck };
  }
}
