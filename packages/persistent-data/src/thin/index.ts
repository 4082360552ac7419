/**
 * thin: the metadata of thin provisioning pools, and the tools over it.
 *
 * Promises: the kernel's own bytes for the kernel's own operations; a commit is atomic. Needs from below: btrees, space maps, XML. Kernel
 * counterpart: dm-thin-metadata.c.
 *
 * @module
 */
export { type BlockTime, blockTimeType, dataBlockAt, MAX_DATA_BLOCK, MAX_TIME, timeAt } from './block-time.ts';
export {
  checkThin,
  ThinCheck,
  type ThinCheckOptions,
  type ThinCheckPhase,
  type ThinRepairOutcome,
} from './check.ts';
export type { DeviceFinding } from './check-devices.ts';
export { DEVICE_DETAILS_TYPE, type DeviceDetails } from './device-details.ts';
export { dumpThin, dumpThinXml, type ThinDumpOptions } from './dump.ts';
export { type ListedDevice, type ThinFormatOptions, ThinMetadata, type ThinMetadataOptions } from './metadata.ts';
export { MAX_DEVICE_ID } from './pool-core.ts';
export { restoreThinXml, ThinRestore, type ThinRestoreOptions } from './restore.ts';
export { isDataBlockSize, readThinSuperblock, type ThinSuperblock } from './superblock.ts';
export { type MappedRange, type Mapping, ThinDevice } from './thin-device.ts';
export * from './tools.ts';
export { ThinView, type ViewedDevice } from './view.ts';
export * from './xml.ts';
