/**
 * block-manager: a cache of fixed-size blocks in one slab, with locks, validators and ordered write-out.
 *
 * Promises: a block that was read or locked has passed its validator; nothing is written after a failed write or flush; memory is
 * what was configured. Needs from below: a {@link BlockDevice}. Kernel counterpart: dm-block-manager.c (and dm-bufio.c).
 *
 * @module
 */
export { BlockManager, type BlockManagerOptions, DEFAULT_CACHE_BLOCKS } from './block-manager.ts';
export type { BlockManagerStatistics } from './statistics.ts';
