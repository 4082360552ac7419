/**
 * space-map: the interface of a map of reference counts that also allocates, and one that lives in core.
 *
 * Kernel counterpart: dm-space-map.h. The maps on disk are in disk-space-map, above the btree.
 *
 * @module
 */
export { CoreSpaceMap } from './core-space-map.ts';
export type { SpaceMap } from './space-map.ts';
