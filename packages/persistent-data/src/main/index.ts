/**
 * `main`: the package root: what most programs import. Gathers exports of `base` and `store`.
 *
 * @module
 */
export {};
