import { assert } from '../base/index.ts';
import type { Root, TreeContext } from './tree-context.ts';

/**
 * Shadows the path to the leaf of a key that exists, in a tree of one level, and leaves that leaf as the spine's current node, locked,
 * in `tree.node`. Answers the index; the caller changes the value in place and calls `spine.end()`. The new root is `spine.root`.
 *
 * @returns -1 when the key is missing; then nothing is locked, and the tree's shape is unchanged.
 */
export function overwriteLeaf<V>(tree: TreeContext<V>, root: Root): number {
  assert(tree.levels === 1, 'a value is overwritten in place in a tree of one level');
  const { spine, node } = tree;
  const type = tree.levelType(0);
  const high = tree.keyHigh[0]!;
  const low = tree.keyLow[0]!;
  spine.begin();
  let block = root;
  let index = -1;
  for (;;) {
    spine.step(block, type);
    if (spine.hasParent) spine.patchParent(index);
    node.base = spine.current;
    index = node.lowerBound(high, low);
    if (node.isLeaf || index < 0) break;
    block = node.childAt(index);
  }
  if (index >= 0 && node.hasKey(index, high, low)) return index;
  spine.end();
  return -1;
}
