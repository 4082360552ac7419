/**
 * transaction-manager: copy-on-write. Blocks are changed only in copies (*shadows*) or when freshly allocated; a commit flushes
 * everything before it writes the superblock.
 *
 * Needs from below: a block manager, and a space map of the same device (which, on disk, is built on this layer again; the knot is
 * tied in disk-space-map). Kernel counterpart: dm-transaction-manager.c.
 *
 * @module
 */
export { NonBlockingClone } from './non-blocking-clone.ts';
export { PrefetchSet } from './prefetch-set.ts';
export { ShadowSet } from './shadow-set.ts';
export { type BlockReader, type TraceEvent, TransactionManager } from './transaction-manager.ts';
