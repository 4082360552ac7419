/**
 * btree: hierarchical, copy-on-write, u64 keys, values of any one size.
 *
 * Promises: plain updates give the kernel's bytes; a node below the root is at least a third full; no key of a sub-tree is below its
 * parent's. Needs from below: a transaction manager. Kernel counterparts: dm-btree.c, dm-btree-remove.c, dm-btree-spine.c.
 *
 * @module
 */
export { Btree, type BtreeOptions, type Entry } from './btree.ts';
export { BtreeBuilder } from './builder.ts';
export { type CheckedTree, type CheckOptions, checkTree } from './check.ts';
export { CheckedNodes, type NodeSummary } from './checked-nodes.ts';
export { Cursor, type CursorOptions, type TreeKind } from './cursor.ts';
export { type Difference, type DiffOptions, diffTrees, TreeDiff, type TreeDiffOptions } from './diff.ts';
export { insertScratch } from './insert.ts';
export { insertMany } from './insert-many.ts';
export { ABSENT, findForRemoval, type Removal, removeFound } from './lazy-remove.ts';
export { type BuiltLeaf, LeafBuilder, releaseLeaves } from './leaf-builder.ts';
export { findExact, NOT_FOUND } from './lookup.ts';
export { PutBuffer } from './put-buffer.ts';
export { type NestedRangeOptions, type RangeOptions, range, rangeNested } from './range.ts';
export { type RemovalRange, removeRange } from './remove-range.ts';
export { type EntryVisitor, forEachEntry } from './scan.ts';
export { SortedMerge } from './sorted-merge.ts';
export { type TreeStatistics, treeStatistics } from './stats.ts';
export { type Keys, MAX_LEVELS, type Root, TreeContext } from './tree-context.ts';
export {
  blockReferenceType,
  forEachRun,
  PLAIN_U32,
  PLAIN_U64,
  readU64,
  type ValueType,
  writeU64,
} from './value-type.ts';
export { type NodeVisit, type NodeVisitor, type WalkShape, walkTree } from './walk.ts';
