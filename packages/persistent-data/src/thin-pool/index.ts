/**
 * thin-pool: the thin provisioning target, with its data. Volumes that are provisioned on first write, snapshots in O(1), discards, external origins,
 * roll-back, out-of-space behaviour, and the order of flushes that makes them safe.
 *
 * Promises: what a flush has answered survives a crash; a volume never shows another one's data; requests for one block are done in order; the kernel's
 * own bytes for the kernel's own steps. Needs from below: the metadata of `thin`, and a `DataDevice`. Kernel counterpart: dm-thin.c.
 *
 * @module
 */
export { BlockData, type BlockDataOptions } from './block-data.ts';
export type { ByteRange, DataDevice, ReadableData } from './data-device.ts';
export type { Extent, ExtentKind, ExtentOptions, VolumeDifference } from './extents.ts';
export { FileData, type FileDataOptions } from './file-data.ts';
export { MemoryData } from './memory-data.ts';
export type { DiscardMode, ThinPoolFormatOptions, ThinPoolOptions } from './options.ts';
export { ThinPool, type ThinVolumeOptions } from './pool.ts';
export type { PoolChanges } from './pool-changes.ts';
export type { PoolEvent, PoolMode } from './pool-mode.ts';
export type { PoolStatus } from './pool-status.ts';
export { ThinVolume } from './volume.ts';
