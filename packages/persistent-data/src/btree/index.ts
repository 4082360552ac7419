/**
 * `btree`: the hierarchical btree. Counterparts: dm-btree.c, dm-btree-remove.c, dm-btree-spine.c.
 *
 * @module
 */
export {};
