/**
 * `array`: arrays of fixed-size values over a btree. Counterpart: dm-array.c.
 *
 * @module
 */
export {};
