/**
 * cache: the metadata of caches, and the tools over it: which blocks of a slow device have a copy in which blocks of a fast one.
 *
 * Promises: the kernel's own bytes for the kernel's own operations; a commit is atomic; after a crash every block counts as dirty. Needs from below:
 * arrays, bitsets, space maps, XML. Kernel counterpart: dm-cache-metadata.c.
 *
 * @module
 */
export type {
  CacheFormatOptions,
  CacheMapping,
  CacheMetadataOptions,
  CacheMode,
  CacheOpenOptions,
  CacheShutdown,
} from './cache-options.ts';
export {
  CacheCheck,
  type CacheCheckOptions,
  type CacheCheckPhase,
  type CacheRepairOutcome,
  checkCache,
} from './check.ts';
export type { ArrayKind, CacheBlockFinding } from './check-arrays.ts';
export { type DetachReport, detachReport } from './detach.ts';
export type { DirtyTest } from './dirty-bits.ts';
export { discardBlockSizeFor } from './discards.ts';
export { type CacheDumpOptions, dumpCache, dumpCacheXml, type LeftOut } from './dump.ts';
export type { MappingVisitor } from './load-mappings.ts';
export { MAX_ORIGIN_BLOCK } from './mapping.ts';
export { CacheMetadata } from './metadata.ts';
export { cacheBlocksOf, cacheMetadataBytes } from './metadata-size.ts';
export { CacheNdjsonWriter } from './ndjson-writer.ts';
export { type CachePolicy, KNOWN_POLICIES, NO_POLICY, SMQ_POLICY } from './policy.ts';
export { CacheReader, type OnLost, type ReadCacheOptions } from './read-arrays.ts';
export {
  type CacheRepairPreview,
  type LeftOutMapping,
  type LostPart,
  previewCacheRepair,
  repairCache,
} from './repair.ts';
export { CacheRestore, type CacheRestoreOptions, restoreCacheXml } from './restore.ts';
export {
  type CacheStatistics,
  type CacheSuperblock,
  type CacheVersion,
  isCacheBlockSize,
  readCacheSuperblock,
} from './superblock.ts';
export {
  CacheWriteback,
  type DataDevice,
  type FailedBlock,
  type WritebackOptions,
  type WritebackProgress,
} from './writeback.ts';
export * from './xml.ts';
