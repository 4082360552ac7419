/**
 * `format`: every on-disk struct, magic number and checksum, with views and validators. No I/O.
 *
 * @module
 */
export {};
