import { highHalf, lowHalf, type U64 } from '../base/index.ts';
import { NODE_VALIDATOR } from '../format/index.ts';
import { findExact, NOT_FOUND } from './lookup.ts';
import type { Root, TreeContext } from './tree-context.ts';

/** Where an upper level refers to the next one: a leaf that this transaction made, and an index in it. */
interface Link {
  /** The level's new root. */
  readonly root: Root;
  readonly leaf: number;
  readonly index: number;
}

/**
 * Replaces one sub-tree of a nested tree: shadows the way to it in the upper levels, lets `change` make a new root of the old one, and
 * leads the way to that. With no keys `above` the whole tree is the sub-tree.
 *
 * @returns The new root of the whole tree, or `undefined` when there is no such sub-tree; then nothing has changed.
 */
export function changeSubTree<V>(
  tree: TreeContext<V>,
  root: Root,
  above: readonly U64[],
  change: (subRoot: Root) => Root,
): Root | undefined {
  if (above.length === 0) return change(root);
  if (!exists(tree, root, above)) return undefined;
  const links: Link[] = [];
  let subRoot = root;
  for (const [level, key] of above.entries()) {
    const link = shadowWay(tree, subRoot, level, highHalf(key), lowHalf(key));
    links.push(link);
    subRoot = tree.node.childAt(link.index);
    tree.spine.end();
  }
  let newRoot = change(subRoot);
  for (const { root: levelRoot, leaf, index } of links.reverse()) {
    const { tm, node } = tree;
    node.base = tm.blockManager.writeLock(leaf, NODE_VALIDATOR);
    node.setChild(index, newRoot);
    tm.unlock(node.base);
    newRoot = levelRoot;
  }
  return newRoot;
}

function exists<V>(tree: TreeContext<V>, root: Root, above: readonly U64[]): boolean {
  let block = root;
  for (const key of above) {
    const index = findExact(tree.tm, tree.node, block, highHalf(key), lowHalf(key));
    if (index === NOT_FOUND) return false;
    block = tree.node.childAt(index);
  }
  return true;
}

/** Shadows the way to a key that exists in one upper level. Its leaf is the spine's current node then, and in `tree.node`. */
function shadowWay<V>(tree: TreeContext<V>, root: Root, level: number, high: number, low: number): Link {
  const { spine, node, tm } = tree;
  const type = tree.levelType(level);
  spine.begin();
  let block = root;
  let index = -1;
  for (;;) {
    spine.step(block, type);
    if (spine.hasParent) spine.patchParent(index);
    node.base = spine.current;
    index = node.lowerBound(high, low);
    if (node.isLeaf) return { root: spine.root, leaf: tm.blockManager.blockAt(spine.current), index };
    block = node.childAt(index);
  }
}
