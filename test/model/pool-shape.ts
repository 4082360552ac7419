/** What pools of the model test are like. */

import type { Random } from 'persistent-data/testing';
import type { DiscardMode } from 'persistent-data/thin-pool';

/** Bytes of a data block. */
export const BLOCK = 65_536;
/** Of a volume, in bytes: not a whole number of blocks. */
export const SIZE = 14 * BLOCK + 512 * 5;

/** What a pool of the test is like. */
export interface PoolShape {
  readonly nrDataBlocks: number;
  readonly nrMetadataBlocks: number;
  readonly discards: DiscardMode;
  readonly skipBlockZeroing: boolean;
  readonly errorIfNoSpace: boolean;
  /** Length of the external origin of volume 0, in bytes. */
  readonly originBytes: number;
  readonly mappingCacheSlots: number;
  readonly nrIds: number;
}

export function randomShape(random: Random): PoolShape {
  // Many snapshots use up little metadata.
  const isTight = random.chance(0.2);
  return {
    nrDataBlocks: isTight ? 120 : random.pick([6, 12, 30]),
    nrMetadataBlocks: isTight ? 44 : random.pick([64, 128, 512]),
    discards: random.pick(['passdown', 'passdown', 'no_passdown', 'ignore']),
    skipBlockZeroing: random.chance(0.2),
    errorIfNoSpace: random.chance(0.5),
    originBytes: random.pick([0, 1000, 3 * BLOCK, 5 * BLOCK + 700, SIZE, SIZE + 3 * BLOCK]),
    mappingCacheSlots: random.pick([1, 4, 64, 1024]),
    nrIds: isTight ? 40 : 5,
  };
}
