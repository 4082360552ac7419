import { NODE_FLAG_LEAF, NODE_VALIDATOR } from '../format/index.ts';
import type { Root, TreeContext } from './tree-context.ts';

/** Makes an empty tree of level `level` (0 is the whole): a leaf without entries. Answers its root. One block. */
export function createEmpty<V>(tree: TreeContext<V>, level: number): Root {
  const { tm, left } = tree;
  const base = tm.newBlock(NODE_VALIDATOR);
  left.base = base;
  // A leaf of an upper level holds block numbers. The kernel uses the last level's size everywhere, and so can nest only 8-byte values.
  left.setHeader(NODE_FLAG_LEAF, 0, tree.levelType(level).size);
  const root = tm.blockManager.blockAt(base);
  tm.unlock(base);
  return root;
}
