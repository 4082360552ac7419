/**
 * `bitset`: bitsets over an array of u64 words. Counterpart: dm-bitset.c.
 *
 * @module
 */
export {};
