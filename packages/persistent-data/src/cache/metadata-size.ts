import { MAX_METADATA_BLOCKS, METADATA_BLOCK_SIZE } from '../format/index.ts';

const MIN_BLOCK_BYTES = 32 * 2 ** 10;
const MAX_BLOCK_BYTES = 2 ** 30;
/** Superblock, space maps, and room for two versions at a time. */
const FIXED_BYTES = 4 * 2 ** 20;
const MAPPING_BYTES = 16;
const HINT_OVERHEAD_BYTES = 8;

/**
 * Blocks of a fast device, a last part of one included.
 * @throws {RangeError} when a cache cannot have blocks of that size; the texts are those of `cache_metadata_size`.
 */
export function cacheBlocksOf(deviceBytes: number, blockBytes: number): number {
  if (blockBytes === 0 || blockBytes % MIN_BLOCK_BYTES !== 0) {
    throw new RangeError('block size must be a multiple of 32 KiB');
  }
  if (blockBytes > MAX_BLOCK_BYTES) throw new RangeError('maximum block size is 1 GiB');
  if (deviceBytes < blockBytes) throw new RangeError('pool size must be larger than block size');
  return Math.ceil(deviceBytes / blockBytes);
}

/** Estimates the size of a metadata device, in bytes. @param maxHintWidth - Bytes of a hint. */
export function cacheMetadataBytes(nrBlocks: number, maxHintWidth = 4): number {
  const bytes = FIXED_BYTES + nrBlocks * (MAPPING_BYTES + maxHintWidth + HINT_OVERHEAD_BYTES);
  return Math.min(bytes, MAX_METADATA_BLOCKS * METADATA_BLOCK_SIZE);
}
