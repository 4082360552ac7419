import { CorruptionError } from '../base/index.ts';
import { rebalanceChildren } from './rebalance.ts';
import type { Root, TreeContext } from './tree-context.ts';

/** What a removal answers instead of an index: the key is not there. */
export const MISSING = -1;

/**
 * Goes down one level to the leaf for its key, shadowing the path, and evening out or merging the children of every internal node on
 * the way, however full they are. Leaves the leaf as the spine's current node.
 *
 * @param nearest - Be content with the largest key at most the wanted one.
 * @returns The index in the leaf: of the key, or with `nearest` the lower bound (maybe -1 too); -1 when there is none. The path has
 *   been shadowed in any case, so that the spine's root is the tree's root now.
 */
function descend<V>(tree: TreeContext<V>, root: number, level: number, parentIndex: number, nearest: boolean): number {
  const { spine, node } = tree;
  const type = tree.levelType(level);
  const high = tree.keyHigh[level]!;
  const low = tree.keyLow[level]!;
  let block = root;
  let index = parentIndex;
  for (;;) {
    spine.step(block, type);
    if (spine.hasParent) spine.patchParent(index);
    node.base = spine.current;
    if (!node.isLeaf) {
      if (!rebalanceChildren(tree, type, high, low)) return MISSING;
      node.base = spine.current;
    }
    index = node.lowerBound(high, low);
    if (node.isLeaf) {
      return nearest || (index >= 0 && node.hasKey(index, high, low)) ? index : MISSING;
    }
    // After a collapse the children may all be above a key that is not there.
    if (index < 0) return MISSING;
    block = node.childAt(index);
  }
}

/**
 * Removes the tree's keys, which are known to exist, and answers the new root. A sub-tree that becomes empty stays.
 *
 * @returns The new root, or `undefined` when a key is missing after all: then the tree has changed shape in core all the same,
 *   and the transaction has to be rolled back.
 */
export function removeKey<V>(tree: TreeContext<V>, root: Root): Root | undefined {
  const { spine, node, levels } = tree;
  spine.begin();
  let block = root;
  let index = -1;
  for (let level = 0; level < levels; level++) {
    index = descend(tree, block, level, index, false);
    if (index === MISSING) {
      spine.end();
      return undefined;
    }
    if (level < levels - 1) block = node.childAt(index);
  }
  removeEntry(tree, index);
  spine.end();
  return spine.root;
}

/**
 * Removes an entry of the leaf that the context's node is at, and what it refers to.
 *
 * @throws {CorruptionError} when the leaf is another afterwards: its block was counted as free, and a tree that was there already is changed in place.
 */
function removeEntry<V>({ node, valueType, tm }: TreeContext<V>, index: number): void {
  const { nrEntries } = node;
  valueType.dec?.(node.slab, node.valueAt(index), 1);
  if (node.nrEntries !== nrEntries) {
    const block = tm.blockManager.blockAt(node.base);
    const message = `Cannot remove an entry of btree_node block ${block}: it is in use twice, as the other user has changed it`;
    throw new CorruptionError(message, { block, kind: 'btree_node', field: 'nrEntries', found: node.nrEntries });
  }
  node.deleteAt(index);
}

/** The running state of {@link removeLeaves}: where the removal stands. */
export interface LeafRemoval {
  root: Root;
  /** The first key not dealt with yet, in halves. `exhausted` when there is none above. */
  high: number;
  low: number;
  exhausted: boolean;
  /** Entries removed so far. */
  count: number;
}

/**
 * Removes keys of one sub-tree (the last level) from `removal`'s key on up to `end`, not included, one descent each, until an attempt
 * meets no key of the range. It looks only at the largest key at most the wanted one, so it may stop at a gap; callers look up the
 * next key and call again.
 *
 * The last, failing attempt shadows, merges and collapses like the others, and its root counts: the kernel's trees owe their shape to it.
 */
export function removeLeaves<V>(tree: TreeContext<V>, removal: LeafRemoval, endHigh: number, endLow: number): void {
  const { spine, node } = tree;
  const level = tree.levels - 1;
  for (;;) {
    tree.keyHigh[level] = removal.high;
    tree.keyLow[level] = removal.low;
    spine.begin();
    const found = descend(tree, removal.root, level, MISSING, true);
    removal.root = spine.root;
    node.base = spine.current;
    const index = Math.max(found, 0);
    if (
      !node.isLeaf ||
      index >= node.nrEntries ||
      !isWithin(node.keyHigh(index), node.keyLow(index), removal, endHigh, endLow)
    ) {
      spine.end();
      return;
    }
    const high = node.keyHigh(index);
    const low = node.keyLow(index);
    removeEntry(tree, index);
    spine.end();
    removal.count++;
    removal.low = (low + 1) >>> 0;
    removal.high = removal.low === 0 ? (high + 1) >>> 0 : high;
    if (removal.low === 0 && removal.high === 0) {
      removal.exhausted = true;
      return;
    }
  }
}

function isWithin(high: number, low: number, from: LeafRemoval, endHigh: number, endLow: number): boolean {
  const atLeast = high !== from.high ? high > from.high : low >= from.low;
  return atLeast && (high !== endHigh ? high < endHigh : low < endLow);
}
