import type { PoolEvent, ThinPoolOptions } from '../thin-pool/index.ts';

/** How a pool with names is opened. */
export interface PoolOptions
  extends Pick<
    ThinPoolOptions,
    | 'skipBlockZeroing'
    | 'discards'
    | 'errorIfNoSpace'
    | 'noSpaceTimeoutMs'
    | 'commitPeriodMs'
    | 'cacheBlocks'
    | 'mappingCacheSlots'
  > {
  /** Nothing is changed; others may read at the same time. Default: false. */
  readonly readOnly?: boolean;
  /**
   * Names and volumes that do not match any more, because something else has changed the pool, are made to match: names without a volume go, volumes without
   * a name get one (`thin-7`). Default: false, such a pool is refused.
   */
  readonly reconcile?: boolean;
  /** Tells {@link onEvent} when so few bytes of data space are free. Default: an eighth of the data. */
  readonly lowWaterBytes?: number;
  /** Hears of modes and low-water marks. Called in the middle of requests: only notes what it hears. */
  readonly onEvent?: (event: PoolEvent) => void;
}

/** How a pool with names is made. */
export interface PoolCreateOptions extends PoolOptions {
  /** How much data it can hold, in bytes. The file is sparse: it takes room as it is written. Default: 16 GiB. */
  readonly sizeBytes?: number;
  /** The unit of provisioning and sharing: 64 KiB to 1 GiB, a multiple of 64 KiB. Default: 64 KiB. */
  readonly blockBytes?: number;
}

/** How a pool is. */
export interface NamedPoolStatus {
  readonly uuid: string;
  readonly mode: string;
  /** Why it is in that mode. */
  readonly reason: string;
  readonly transactionId: number;
  readonly blockBytes: number;
  readonly dataBytes: number;
  readonly usedDataBytes: number;
  readonly metadataBytes: number;
  readonly usedMetadataBytes: number;
  readonly nrVolumes: number;
  /** The sizes of all volumes together: more than the data when the pool promises more than it has. */
  readonly promisedBytes: number;
  /** Requests that wait for data space. */
  readonly nrWaiting: number;
  readonly needsCheck: boolean;
  /** What the host's file system has left; `undefined` where that is not known. */
  readonly hostFreeBytes: number | undefined;
}

/** A volume as it is listed. */
export interface VolumeInfo {
  readonly name: string;
  readonly id: number;
  readonly uuid: string;
  readonly sizeBytes: number;
  /** What it maps, shared or not. */
  readonly mappedBytes: number;
  readonly readOnly: boolean;
  /** The name of the volume that it was made from, if that is there. */
  readonly origin: string | undefined;
  readonly created: Date;
  readonly receivedUuid: string;
  /** While it is being received: what has come so far. */
  readonly receivedTo: number | undefined;
  /** Somebody's for a while; a crash leaves it for who opens the pool next to remove. */
  readonly temporary: boolean;
  /** Handles that are open. */
  readonly nrUsers: number;
}
