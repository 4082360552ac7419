/**
 * `transaction-manager`: shadowing, new blocks, two-phase commit. Counterpart: dm-transaction-manager.c.
 *
 * @module
 */
export {};
