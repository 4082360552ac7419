/**
 * `testing`: simulated disks, generators, damage and conformance suites. Public; takes the test library as a parameter.
 *
 * @module
 */
export {};
