/**
 * `thin`: thin provisioning metadata. Counterpart: dm-thin-metadata.c.
 *
 * @module
 */
export {};
