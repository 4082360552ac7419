import { BulkArrayChecker } from '../array/index.ts';
import { assert, type Finding } from '../base/index.ts';
import {
  beginCheck,
  type CheckedSuperblock,
  compareCounts,
  countMetadataSpaceMap,
  countsIncomplete,
  type MetadataCheckOptions,
  readSuperblock,
  type TreeChecker,
} from '../disk-space-map/index.ts';
import { ERA_SUPERBLOCK_VALIDATOR, ERA_VERSION, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { CheckedEras } from './check-eras.ts';
import { metadataDevice } from './image.ts';
import type { EraMetadata } from './metadata.ts';
import { type EraSuperblock, MAX_NR_BLOCKS, readEraSuperblock } from './superblock.ts';

const SUPERBLOCK: CheckedSuperblock<EraSuperblock> = {
  validator: ERA_SUPERBLOCK_VALIDATOR,
  code: 'era.superblock',
  read: readEraSuperblock,
};

/** What a check is at. In this order; an option may leave some out. */
export type EraCheckPhase = 'superblock' | 'writesets' | 'era-array' | 'metadata-snapshot' | 'metadata-space-map';

/** What to check, and whom to tell how far it is. */
export interface EraCheckOptions extends MetadataCheckOptions {
  /** The superblock and nothing else. */
  readonly superblockOnly?: boolean;
  /** Called when a phase begins. */
  readonly onPhase?: (phase: EraCheckPhase) => void;
}

/**
 * Checks an era device's metadata, from its superblock to all reference counts, without writing. Never throws for what it finds on the disk.
 *
 * Reads each metadata block that is in use once; takes 28 bytes of memory per metadata block in use.
 *
 * Codes besides those of trees, arrays and space maps: `era.superblock`, `era.version`, `era.size`, `era.writeset` (of an era that it cannot be of),
 * `era.value` (an era beyond the current one); all fatal. `era.counts-incomplete` is a warning.
 *
 * @example
 * ```ts
 * for (const { severity, message } of checkEra(device)) console.log(severity, message);
 * ```
 */
export function checkEra(source: BlockDevice | EraMetadata, options: EraCheckOptions = {}): Generator<Finding, void> {
  return new EraCheck(source, options).run();
}

/** A check of an era device, with what it knows afterwards. */
export class EraCheck {
  /** As found on the device; `undefined` before {@link run}, and when it cannot be believed. */
  superblock: EraSuperblock | undefined;
  readonly #device: BlockDevice;
  readonly #options: EraCheckOptions;
  #hasRun = false;

  constructor(source: BlockDevice | EraMetadata, options: EraCheckOptions = {}) {
    this.#device = metadataDevice(source);
    this.#options = options;
  }

  /** Checks, once. Everything that is wrong is yielded, and after damage as much else is checked as can be. */
  *run(): Generator<Finding, void> {
    assert(!this.#hasRun, 'a check runs once');
    this.#hasRun = true;
    const { onPhase, superblockOnly = false } = this.#options;
    onPhase?.('superblock');
    const superblock = yield* this.#readSuperblock(SUPERBLOCK_LOCATION);
    this.superblock = superblock;
    if (superblock === undefined || superblockOnly) return;
    const checker = beginCheck(this.#device, SUPERBLOCK, superblock.metadataSpaceMapRoot, this.#options);
    const arrays = new BulkArrayChecker(checker);
    let isWhole = yield* this.#checkEras(checker, arrays, superblock);
    const { metadataSnap } = superblock;
    if (metadataSnap !== 0) isWhole = (yield* this.#checkSnapshot(checker, arrays, superblock)) && isWhole;
    onPhase?.('metadata-space-map');
    if (!isWhole) yield countsIncomplete('era');
    const map = yield* countMetadataSpaceMap(checker, superblock.metadataSpaceMapRoot);
    yield* compareCounts(checker, map, checker.counts, { isLowerBound: !isWhole });
  }

  *#checkEras(
    checker: TreeChecker,
    arrays: BulkArrayChecker,
    superblock: EraSuperblock,
    isSnapshot = false,
  ): Generator<Finding, boolean> {
    const { onPhase } = this.#options;
    const eras = new CheckedEras(checker, arrays, superblock);
    if (!isSnapshot) onPhase?.('writesets');
    const writesetsAreWhole = yield* eras.checkWritesets(!isSnapshot);
    if (!isSnapshot) onPhase?.('era-array');
    const arrayIsWhole = yield* eras.checkArray();
    return writesetsAreWhole && arrayIsWhole;
  }

  /** The metadata snapshot: what is not shared with the device itself. */
  *#checkSnapshot(
    checker: TreeChecker,
    arrays: BulkArrayChecker,
    { metadataSnap }: EraSuperblock,
  ): Generator<Finding, boolean> {
    this.#options.onPhase?.('metadata-snapshot');
    const problem = checker.countBlock(metadataSnap, 'era_superblock');
    if (problem !== undefined) {
      yield { ...problem, code: 'era.superblock' };
      return false;
    }
    const superblock = yield* this.#readSuperblock(metadataSnap);
    if (superblock === undefined) return false;
    return yield* this.#checkEras(checker, arrays, superblock, true);
  }

  *#readSuperblock(block: number): Generator<Finding, EraSuperblock | undefined> {
    const superblock = yield* readSuperblock(this.#device, block, SUPERBLOCK);
    if (superblock === undefined) return undefined;
    const { version, nrBlocks } = superblock;
    if (version > ERA_VERSION) {
      yield { severity: 'fatal', code: 'era.version', message: `unknown superblock version ${version}`, block };
      return undefined;
    }
    if (nrBlocks > MAX_NR_BLOCKS) {
      const message = `The superblock says ${nrBlocks} blocks, at most ${MAX_NR_BLOCKS} are wanted`;
      yield { severity: 'fatal', code: 'era.size', message, block };
    }
    return superblock;
  }
}
