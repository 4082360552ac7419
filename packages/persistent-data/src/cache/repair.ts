import type { Finding } from '../base/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { ArrayKind } from './check-arrays.ts';
import { dumpCache, type LeftOut } from './dump.ts';
import { CacheReader } from './read-arrays.ts';
import { CacheRestore } from './restore.ts';
import { isCleanShutdown, supportedVersion } from './superblock.ts';
import type { CacheVisitor, CacheXmlSuperblock } from './visitor.ts';

/** Something that cannot be read, and what that takes away. */
export interface LostPart {
  readonly kind: ArrayKind;
  /** The metadata block at fault. */
  readonly block?: number;
  readonly message: string;
  /** Cache blocks, half-open. */
  readonly begin: number;
  readonly end: number;
}

/** A mapping that can be read and is left out. */
export interface LeftOutMapping {
  readonly cacheBlock: number;
  readonly originBlock: number;
  /** The origin block was mapped before; or it is beyond the origin. */
  readonly why: LeftOut;
}

/** What a repair would keep, and what it would lose. */
export interface CacheRepairPreview {
  readonly cacheBlocks: number;
  readonly nrMappings: number;
  /** Of them; all whose dirty bits cannot be read among them. */
  readonly nrDirty: number;
  readonly nrHints: number;
  /** Whether the last end was an orderly one. Else every block counts as dirty, after the repair as well. */
  readonly cleanShutdown: boolean;
  readonly lost: readonly LostPart[];
  /** The first thousand. */
  readonly leftOut: readonly LeftOutMapping[];
  readonly nrLeftOut: number;
}

const MOST_LEFT_OUT = 1000;
const WORD_BITS = 64;

/**
 * Says what a repair would make of a cache. Writes nothing.
 * @throws {CorruptionError | UnsupportedError} when the superblock or the root of the mappings cannot be used: then nothing can be repaired.
 */
export function previewCacheRepair(
  device: BlockDevice,
  onProgress?: (done: number, total: number) => void,
): CacheRepairPreview {
  const count = new CountingVisitor();
  const lost: LostPart[] = [];
  const leftOut: LeftOutMapping[] = [];
  let nrLeftOut = 0;
  const { superblock } = new CacheReader(device);
  dumpCache(device, count, {
    repair: {
      onLost: (kind, finding) => lost.push(partOf(kind, finding, superblock.cacheBlocks)),
      onLeftOut: (cacheBlock, originBlock, why) => {
        nrLeftOut++;
        if (leftOut.length < MOST_LEFT_OUT) leftOut.push({ cacheBlock, originBlock, why });
      },
    },
    ...(onProgress && { onProgress }),
  });
  const { nrMappings, nrDirty, nrHints } = count;
  const cleanShutdown = isCleanShutdown(superblock);
  return { cacheBlocks: superblock.cacheBlocks, nrMappings, nrDirty, nrHints, cleanShutdown, lost, leftOut, nrLeftOut };
}

/**
 * Makes a cache on `target` of what can be read of another. Metadata that was not shut down in order stays so, in the same version: who opens it takes
 * every block for dirty.
 *
 * @returns What was kept and lost.
 * @throws {CorruptionError | UnsupportedError} as the preview does; nothing was written then.
 */
export function repairCache(
  device: BlockDevice,
  target: BlockDevice,
  onProgress?: (done: number, total: number) => void,
): CacheRepairPreview {
  // First of all: it tells whether there is anything to be had.
  const preview = previewCacheRepair(device);
  const { superblock } = new CacheReader(device);
  const restore = new CacheRestore(target, {
    version: supportedVersion(superblock),
    omitCleanShutdown: !isCleanShutdown(superblock),
  });
  dumpCache(device, restore, { repair: {}, ...(onProgress && { onProgress }) });
  return preview;
}

function partOf(kind: ArrayKind, { block, message, keys }: Finding, cacheBlocks: number): LostPart {
  const scale = kind === 'dirty-bits' ? WORD_BITS : 1;
  const begin = keys === undefined ? 0 : Number(keys.begin) * scale;
  const last = keys === undefined ? Number.POSITIVE_INFINITY : Number(keys.end) * scale;
  // Of discards the elements are words of regions.
  const end = kind === 'discards' ? last : Math.min(last, cacheBlocks);
  return { kind, message, begin, end, ...(block === undefined ? {} : { block }) };
}

/** Counts what a restore would get. */
class CountingVisitor implements CacheVisitor {
  nrMappings = 0;
  nrDirty = 0;
  nrHints = 0;

  superblockBegin(_superblock: CacheXmlSuperblock): void {}
  superblockEnd(): void {}
  mappingsBegin(): void {}
  mappingsEnd(): void {}
  hintsBegin(): void {}
  hintsEnd(): void {}

  mapping(_cacheBlock: number, _originBlock: number, dirty: boolean): void {
    this.nrMappings++;
    if (dirty) this.nrDirty++;
  }

  hint(): void {
    this.nrHints++;
  }
}
