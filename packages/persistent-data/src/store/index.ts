/**
 * `store`: named collections and snapshots in one file: the embedded default.
 *
 * @module
 */
export {};
