/**
 * array: arrays of fixed-size elements, in blocks that a btree finds.
 *
 * Promises: placed as the kernel's; a block and its elements keep right counts through sharing. The length is the owner's to keep. Needs
 * from below: a btree and a transaction manager. Kernel counterpart: dm-array.c.
 *
 * @module
 */
export { type ElementVisitor, PersistentArray } from './array.ts';
export { ArrayBuilder } from './array-builder.ts';
export { ArrayCursor } from './array-cursor.ts';
export { BulkArrayChecker, type BulkArrayOutcome, type BulkCheckedArray } from './bulk-check.ts';
export { type ArrayCheckOptions, type CheckedArray, checkArray } from './check.ts';
export { RawArrayBuilder } from './raw-array-builder.ts';
