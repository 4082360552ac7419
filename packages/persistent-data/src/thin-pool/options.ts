import type { BlockDevice } from '../io/index.ts';
import type { DataDevice } from './data-device.ts';
import type { PoolEvent } from './pool-mode.ts';

/** What a discard does: unmaps and gives the room back to the host; only unmaps; nothing. */
export type DiscardMode = 'passdown' | 'no_passdown' | 'ignore';

/** How a pool behaves. The kernel's words are those of its table's features. */
export interface ThinPoolOptions {
  /** Holds the metadata. Stays its opener's, who closes it after the pool. */
  readonly metadata: BlockDevice;
  /** Holds the data. Stays its opener's, too. */
  readonly data: DataDevice;
  /** Nothing is changed. Default: false, unless a device is read-only. */
  readonly readOnly?: boolean;
  /** Does not clear the rest of a block that is written for the first time (`skip_block_zeroing`): a volume may show old data of another. Default: false. */
  readonly skipBlockZeroing?: boolean;
  /** Default: `passdown`, where the data device can punch holes; else `no_passdown`. */
  readonly discards?: DiscardMode;
  /** Writes that find no data space fail at once (`error_if_no_space`) instead of waiting for it. Default: false. */
  readonly errorIfNoSpace?: boolean;
  /** How long they wait before all of them fail, in milliseconds; 0 for ever. Default: 60 000. */
  readonly noSpaceTimeoutMs?: number;
  /** Tells {@link onEvent} when so few data blocks are free. Default: 0. */
  readonly lowWaterBlocks?: number;
  /** Changes are committed this long after the first of them, in milliseconds, if nobody has asked for it before; 0 never. Default: 1000. */
  readonly commitPeriodMs?: number;
  /** Metadata blocks in memory, of 4096 bytes. Default: 16384. */
  readonly cacheBlocks?: number;
  /** Mappings of each volume in memory, of 20 bytes; a power of 2. Default: 16384, which is 1 GiB with blocks of 64 KiB. */
  readonly mappingCacheSlots?: number;
  /** Hears of modes and low-water marks. Called in the middle of requests: only notes what it hears. */
  readonly onEvent?: (event: PoolEvent) => void;
}

/** How to make a pool. */
export interface ThinPoolFormatOptions extends ThinPoolOptions {
  /** 512-byte sectors: 128 (64 KiB) to 2097152 (1 GiB), a multiple of 128. Fixed for ever. Default: 128. */
  readonly dataBlockSizeSectors?: number;
}

export const DEFAULT_NO_SPACE_TIMEOUT_MS = 60_000;
export const DEFAULT_COMMIT_PERIOD_MS = 1000;
export const DEFAULT_MAPPING_SLOTS = 16_384;
