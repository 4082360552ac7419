/**
 * `space-map`: the space map interface and the in-core map. Counterpart: dm-space-map.h.
 *
 * @module
 */
export {};
