import { MAX_METADATA_BLOCKS, METADATA_BLOCK_SIZE } from '../format/index.ts';

/** Mappings of a leaf that is half full: what random writes come to. */
const MAPPINGS_PER_BLOCK = 126;
const MIN_BLOCK_BYTES = 64 * 2 ** 10;
const MAX_BLOCK_BYTES = 2 ** 30;

/** What a pool is to be. */
export interface PoolShape {
  /** Bytes of a data block: a multiple of 64 KiB, at most 1 GiB. */
  readonly blockBytes: number;
  /** Bytes of the data device. */
  readonly poolBytes: number;
  /** Thin devices and snapshots. */
  readonly maxThins: number;
}

/**
 * Estimates the size of a metadata device, in bytes: one block for the superblock, one for 126 data blocks, one for each device.
 *
 * @throws {RangeError} when the pool cannot be; the texts are those of `thin_metadata_size`.
 */
export function thinMetadataBytes({ blockBytes, poolBytes, maxThins }: PoolShape): number {
  if (blockBytes === 0 || blockBytes % MIN_BLOCK_BYTES !== 0) {
    throw new RangeError('block size must be a multiple of 64 KiB');
  }
  if (blockBytes > MAX_BLOCK_BYTES) throw new RangeError('maximum block size is 1 GiB');
  if (poolBytes < blockBytes) throw new RangeError('pool size must be larger than block size');
  const dataBlocks = Math.ceil(poolBytes / blockBytes);
  const nrBlocks = 1 + Math.ceil(dataBlocks / MAPPINGS_PER_BLOCK) + maxThins;
  return Math.min(nrBlocks, MAX_METADATA_BLOCKS) * METADATA_BLOCK_SIZE;
}
