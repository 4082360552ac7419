/**
 * disk-space-map: reference counts on disk, for another device's blocks and for the metadata device's own.
 *
 * Promises: a block is handed out only if it is free in the current version, in the last commit, and in all versions that are held.
 * Needs from below: btrees. Here the one cycle of the design is tied, in open-metadata.ts. Kernel counterparts: dm-space-map-common.c,
 * dm-space-map-disk.c, dm-space-map-metadata.c.
 *
 * @module
 */
export { BlockScanner } from './block-scanner.ts';
export { BulkTransaction, type FillSuperblock } from './bulk-transaction.ts';
export {
  type CheckedSpace,
  type CompareOptions,
  type CountedSpaceMap,
  type CountFinding,
  compareCounts,
  countDataSpaceMap,
  countMetadataSpaceMap,
  repairLeaks,
} from './check-space-map.ts';
export { INDEX_ENTRY_TYPE } from './data-index.ts';
export { DataSpaceMap } from './data-space-map.ts';
export { type KeptVersion, KeptVersions } from './kept-versions.ts';
export {
  beginCheck,
  type CheckedSuperblock,
  CheckTally,
  changeSuperblock,
  countsIncomplete,
  type MetadataCheckOptions,
  readSuperblock,
} from './metadata-check.ts';
export { MetadataSpaceMap } from './metadata-space-map.ts';
export { type CreateMetadataOptions, createMetadata, type Metadata, openMetadata } from './open-metadata.ts';
export { ReferenceCounter } from './reference-counter.ts';
export {
  badBlock,
  type CheckedTree,
  type LeafProblem,
  TreeChecker,
  type TreeCheckerOptions,
  type TreeOutcome,
} from './tree-checker.ts';
export { type FinalCounts, writeDataSpaceMap, writeMetadataSpaceMap } from './write-space-map.ts';
