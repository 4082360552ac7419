/**
 * `disk-space-map`: bitmap and reference-count trees, data and metadata variants. Counterparts: dm-space-map-*.c.
 *
 * @module
 */
export {};
