/**
 * `block-manager`: the cache slab, locks, validators and flush order. Counterpart: dm-block-manager.c.
 *
 * @module
 */
export {};
