import type { BlockDevice } from '../io/index.ts';
import { CacheReader } from './read-arrays.ts';
import { type CacheSuperblock, isCleanShutdown, needsCheck } from './superblock.ts';

/** Whether a cache can be dropped, and what that would lose. */
export interface DetachReport {
  /** Nothing is in the cache that the origin does not have. */
  readonly canBeDropped: boolean;
  readonly cleanShutdown: boolean;
  readonly needsCheck: boolean;
  readonly cacheBlocks: number;
  readonly blockBytes: number;
  readonly nrMapped: number;
  /** Blocks that would be lost: the dirty ones; without an orderly end all that are mapped, as nothing is known of them. */
  readonly nrAtRisk: number;
  readonly bytesAtRisk: number;
}

/** Calls back for each block whose content the origin may not have, in the order of cache blocks. */
export function forEachAtRisk(reader: CacheReader, visit: (cacheBlock: number, originBlock: number) => void): void {
  const believesDirty = isCleanShutdown(reader.superblock);
  reader.mappings((cacheBlock, originBlock, dirty) => {
    if (dirty || !believesDirty) visit(cacheBlock, originBlock);
  });
}

/**
 * Says whether a cache can be dropped without loss. Only a writeback cache has dirty blocks; but after a crash nobody knows which ones.
 * @throws {CorruptionError} when the metadata cannot be believed: check it first.
 */
export function detachReport(device: BlockDevice): DetachReport {
  const reader = new CacheReader(device);
  const { superblock } = reader;
  const cleanShutdown = isCleanShutdown(superblock);
  let nrMapped = 0;
  let nrDirty = 0;
  reader.mappings((_cacheBlock, _originBlock, dirty) => {
    nrMapped++;
    if (dirty) nrDirty++;
  });
  const nrAtRisk = cleanShutdown ? nrDirty : nrMapped;
  const blockBytes = blockBytesOf(superblock);
  return {
    canBeDropped: nrAtRisk === 0,
    cleanShutdown,
    needsCheck: needsCheck(superblock),
    cacheBlocks: superblock.cacheBlocks,
    blockBytes,
    nrMapped,
    nrAtRisk,
    bytesAtRisk: nrAtRisk * blockBytes,
  };
}

/** Bytes of a cache block. */
export function blockBytesOf({ dataBlockSize }: CacheSuperblock): number {
  return dataBlockSize * 512;
}
