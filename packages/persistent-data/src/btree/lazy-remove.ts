import { CorruptionError } from '../base/index.ts';
import { NODE_VALIDATOR } from '../format/index.ts';
import { holdLeaf, releaseLeaf } from './owned-path.ts';
import { removeKey } from './remove.ts';
import { wrongValueSize } from './spine.ts';
import type { Root, TreeContext } from './tree-context.ts';

/** No path is longer; see `MAX_STEPS` of the spine. */
const MAX_STEPS = 128;

/** What {@link findForRemoval} says: the key is not there. */
export const ABSENT = 0;
/** The leaf is left with too little: neighbours have to be evened out or merged. */
const SHORT = 1;
/** The path has to be shadowed, and nothing else. */
const SHARED = 2;
/** The whole path is this transaction's own: the leaf is all that changes. */
const OWNED = 3;

export type Removal = typeof ABSENT | typeof SHORT | typeof SHARED | typeof OWNED;

/**
 * Looks for the tree's keys, and for what removing them takes. Changes nothing. The leaf is in the tree's `node` then.
 *
 * The kernel evens out the children of each node on the way down, which shadows three of them a level. Here neighbours are left alone until a leaf would
 * have less than a third of its entries: then the kernel's way is gone. Most removals touch one leaf (bench: `kv`, random delete; a third of the time).
 */
export function findForRemoval<V>(tree: TreeContext<V>, root: Root): Removal {
  const { tm, node, levels, keyHigh, keyLow } = tree;
  let block = root;
  let isOwned = true;
  let isTop = true;
  let level = 0;
  let high = keyHigh[0]!;
  let low = keyLow[0]!;
  // A child is searched between its parent's keys, as a look-up does it: see `findExact`.
  let first = 0;
  let final = 0;
  let finalHigh = -1;
  let isBetween = false;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    isOwned &&= tm.owns(block);
    node.base = tm.read(block, NODE_VALIDATOR);
    const index: number = isBetween ? node.lowerBoundBetween(low, first, final) : node.lowerBound(high, low);
    if (index < 0) return ABSENT;
    if (!node.isLeaf) {
      isTop = false;
      if (index + 1 < node.nrEntries) {
        final = node.keyLow(index + 1);
        finalHigh = node.keyHigh(index + 1);
      }
      first = node.keyLow(index);
      isBetween = finalHigh === high && node.keyHigh(index) === high;
    } else {
      if (!node.hasKey(index, high, low)) return ABSENT;
      const { size } = tree.levelType(level);
      if (node.valueSize !== size) throw wrongValueSize(block, node, size);
      if (level === levels - 1) {
        tree.leafIndex = index;
        if (!isTop && node.nrEntries <= Math.floor(node.maxEntries / 3)) return SHORT;
        return isOwned ? OWNED : SHARED;
      }
      level++;
      high = keyHigh[level]!;
      low = keyLow[level]!;
      isTop = true;
      isBetween = false;
      finalHigh = -1;
    }
    block = node.childAt(index);
  }
  const message = `Cannot search tree ${root}: it is higher than ${MAX_STEPS} nodes, or has a cycle`;
  throw new CorruptionError(message, { block: root, kind: 'btree_node', field: 'height' });
}

/**
 * Removes the keys that {@link findForRemoval} has found last, with nothing changed since, and answers the new root. Sub-trees that become empty
 * stay. `undefined` as from `removeKey`.
 */
export function removeFound<V>(tree: TreeContext<V>, root: Root, removal: Removal): Root | undefined {
  if (removal === SHORT) return removeKey(tree, root);
  if (removal === SHARED) return removeShadowed(tree, root);
  const { tm, node, valueType } = tree;
  tm.version++;
  holdLeaf(tree, tm.blockManager.blockAt(node.base));
  valueType.dec?.(node.slab, node.valueAt(tree.leafIndex), 1);
  node.deleteAt(tree.leafIndex);
  releaseLeaf(tree);
  return root;
}

/** Shadows the path and removes the entry from its leaf. */
function removeShadowed<V>(tree: TreeContext<V>, root: Root): Root {
  const { spine, node, levels, valueType, keyHigh, keyLow } = tree;
  spine.begin();
  let block = root;
  let index = -1;
  for (let level = 0; level < levels; level++) {
    const type = tree.levelType(level);
    do {
      spine.step(block, type);
      if (spine.hasParent) spine.patchParent(index);
      node.base = spine.current;
      index = node.lowerBound(keyHigh[level]!, keyLow[level]!);
      block = level < levels - 1 || !node.isLeaf ? node.childAt(index) : -1;
    } while (!node.isLeaf);
  }
  valueType.dec?.(node.slab, node.valueAt(index), 1);
  node.deleteAt(index);
  spine.end();
  return spine.root;
}
