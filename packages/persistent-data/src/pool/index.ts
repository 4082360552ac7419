/**
 * pool: thin pools with names. A folder with the pool's metadata, its data, and a registry of what its volumes are called, how large they are and what
 * they were made from.
 *
 * Promises: no crash leaves a name without a volume or a volume without a name; one process has a pool open for writing. Needs from below: `thin-pool`,
 * and a `Store` for the registry. Counterpart in Linux: what LVM does over the thin target.
 *
 * @module
 */
export type { NamedPoolStatus, PoolCreateOptions, PoolOptions, VolumeInfo } from './options.ts';
export { Pool } from './pool.ts';
export { type FolderKind, kindOfFolder, POOL_FILES, type PoolDevices } from './pool-folder.ts';
export { PoolVolume } from './pool-volume.ts';
export { type ReceiveOptions, type ReceiveOutcome, receiveVolume } from './receive.ts';
export { type SendOptions, sendVolume } from './send.ts';
export {
  PAYLOAD_BYTES,
  parseHead,
  RECORD,
  RecordReader,
  type RecordType,
  RecordWriter,
  type StreamHead,
  type StreamRecord,
} from './stream-record.ts';
export { checkVolumeName, MAX_NAME_BYTES } from './volume-name.ts';
export type { VolumeRecord } from './volume-record.ts';
