/*
 * The tools over a pool's metadata besides checking, dumping and restoring it.
 */
export { type DeltaKind, type DeltaOptions, type DeltaVisitor, thinDelta } from './delta.ts';
export { type DeltaSide, ThinDeltaWriter } from './delta-writer.ts';
export { DeviceSets } from './device-sets.ts';
export {
  type DetailsCandidate,
  type FindRootsOptions,
  type FoundRoots,
  findRoots,
  type MappingCandidate,
  type RootPair,
} from './find-roots.ts';
export { type ImageDevice, rootOf, ThinImage, type ThinImageOptions } from './image.ts';
export { ThinCsvWriter, ThinNdjsonWriter } from './line-writers.ts';
export { type PoolShape, thinMetadataBytes } from './metadata-size.ts';
export {
  type PackOptions,
  type PackSource,
  type PackSummary,
  packMetadata,
  type UnpackOptions,
  unpackMetadata,
  type ZlibCodec,
} from './pack.ts';
export { planRepair, type RepairOptions, type RepairOverrides, type RepairPlan, repairedView } from './repair.ts';
export { type DevicePreview, type PreviewRange, previewRepair } from './repair-preview.ts';
export { type DataRegion, type ReverseMapOptions, type ReverseRun, reverseMap } from './reverse-map.ts';
export { RootedDevice, type RootedSuperblock } from './rooted-device.ts';
export { type RunLengths, runLengths } from './run-lengths.ts';
export { type SalvageVisitor, salvageMappings } from './salvage.ts';
export { type BlockMove, planShrink, ShrinkSurvey, ShrinkVisitor } from './shrink.ts';
export { type CountHistogram, countHistogram, freeDataRuns, type SpaceName } from './space-bitmaps.ts';
export type { TreeSummary } from './tree-summary.ts';
export {
  type CensusOptions,
  exclusiveBlocks,
  exclusiveOfSet,
  highestMapped,
  type SharingCensus,
  sharingCensus,
  sharingMatrix,
} from './usage.ts';
