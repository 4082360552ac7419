/**
 * `io`: the block device interface; file, memory, read-only and window devices.
 *
 * @module
 */
export {};
