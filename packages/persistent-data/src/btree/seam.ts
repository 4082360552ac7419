import { NODE_VALIDATOR } from '../format/index.ts';
import { copyFirstKey, shift } from './node-moves.ts';
import { shadowNode } from './spine.ts';
import type { Root, TreeContext } from './tree-context.ts';
import type { ValueType } from './value-type.ts';

/**
 * Goes along the way to a key that exists, in one level, shadowing it. A node there that is less than a third full is merged with a sibling or
 * evened out with it, a root with one child gives way to that. For after a removal of many keys at once.
 *
 * One pass may leave a node short by the merges below it: call again until nothing changes.
 */
export function evenOutAlong<V>(
  tree: TreeContext<V>,
  root: Root,
  level: number,
  high: number,
  low: number,
): { root: Root; changed: boolean } {
  const { spine, node } = tree;
  const type = tree.levelType(level);
  let block = collapseRoot(tree, root);
  let changed = block !== root;
  let index = -1;
  spine.begin();
  for (;;) {
    spine.step(block, type);
    if (spine.hasParent) spine.patchParent(index);
    node.base = spine.current;
    if (node.isLeaf) break;
    index = Math.max(node.lowerBound(high, low), 0);
    if (node.nrEntries > 1 && evenOutChild(tree, type, index)) {
      changed = true;
      index = Math.max(node.lowerBound(high, low), 0);
    }
    block = node.childAt(index);
  }
  spine.end();
  return { root: spine.root, changed };
}

/** A root with one child is given up, and the reference it had becomes the tree's. */
function collapseRoot<V>(tree: TreeContext<V>, root: Root): Root {
  const { tm, node } = tree;
  let block = root;
  for (;;) {
    node.base = tm.read(block, NODE_VALIDATOR);
    if (node.isLeaf || node.nrEntries > 1) return block;
    const child = node.childAt(0);
    if (tm.ref(block) > 1) tm.inc(child);
    tm.dec(block);
    block = child;
  }
}

/** Brings child `index` of the current node to a third at least. Answers whether it was short. */
function evenOutChild<V>(tree: TreeContext<V>, type: ValueType<unknown>, index: number): boolean {
  const { tm, spine, node, left, right } = tree;
  left.base = tm.read(node.childAt(index), NODE_VALIDATOR);
  if (left.nrEntries >= Math.floor(left.maxEntries / 3)) return false;
  const leftIndex = index > 0 ? index - 1 : 0;
  left.base = shadowNode(tm, node.childAt(leftIndex), type, left);
  node.setChild(leftIndex, tm.blockManager.blockAt(left.base));
  right.base = shadowNode(tm, node.childAt(leftIndex + 1), type, right);
  const rightBlock = tm.blockManager.blockAt(right.base);
  node.setChild(leftIndex + 1, rightBlock);
  const total = left.nrEntries + right.nrEntries;
  const isMerge = total <= left.maxEntries;
  if (isMerge) {
    left.copyEntries(left.nrEntries, right, 0, right.nrEntries);
    left.nrEntries = total;
    node.deleteAt(leftIndex + 1);
  } else {
    shift(left, right, left.nrEntries - (total >>> 1));
    copyFirstKey(node, leftIndex + 1, right);
  }
  tm.unlock(left.base);
  tm.unlock(right.base);
  if (isMerge) tm.dec(rightBlock);
  node.base = spine.current;
  return true;
}
