import { createEmpty } from './empty.ts';
import { holdLeaf, NOT_OWNED, releaseLeaf, takeOwnedLeaf } from './owned-path.ts';
import { makeRoom, splitBeneath } from './split.ts';
import type { Root, TreeContext } from './tree-context.ts';
import type { ValueType } from './value-type.ts';

/**
 * Goes down one level of the tree to the leaf for its key, shadowing the path and splitting what is full on the way, so that the
 * leaf has room, or has the key. Leaves the leaf as the spine's current node and answers the largest index with a key at most the
 * wanted one, or -1.
 *
 * @param parentIndex - Where the upper level's leaf, the spine's current node, refers to `root`; -1 in the first level.
 */
function descend<V>(tree: TreeContext<V>, root: number, level: number, parentIndex: number): number {
  const { spine, node, finger } = tree;
  const type = tree.levelType(level);
  const high = tree.keyHigh[level]!;
  const low = tree.keyLow[level]!;
  let block = root;
  let index = parentIndex;
  let isTop = true;
  finger.beginLevel();
  for (;;) {
    spine.step(block, type);
    if (spine.hasParent) spine.patchParent(index);
    node.base = spine.current;
    if (node.nrEntries === node.maxEntries && !isOverwrite(tree, high, low)) {
      if (isTop) {
        splitBeneath(tree);
      } else {
        makeRoom(tree, type, index, high, low);
        // The parent has changed, and may be full now.
        finger.refuse();
      }
      node.base = spine.current;
    }
    index = node.lowerBound(high, low);
    if (node.isLeaf) return index;
    if (index < 0) {
      // A key below all others: lower the first key here, so that no key of a sub-tree is ever below its parent's.
      node.setKey(0, high, low);
      index = 0;
    }
    block = node.childAt(index);
    finger.pass(node, index);
    isTop = false;
  }
}

/** Whether the current node is a leaf that has the key already: then nothing has to be split for it. */
function isOverwrite<V>(tree: TreeContext<V>, high: number, low: number): boolean {
  const { node } = tree;
  if (!node.isLeaf) return false;
  const index = node.lowerBound(high, low);
  return index >= 0 && node.hasKey(index, high, low);
}

/**
 * Inserts the value in the tree's scratch space under the tree's keys, or overwrites; answers the new root. The value's own
 * reference passes to the tree. Sets `wasNew`.
 */
export function insertScratch<V>(tree: TreeContext<V>, root: Root, outcome: { wasNew: boolean }): Root {
  const { tm, spine, node, levels, finger, keyHigh, keyLow } = tree;
  if (finger.isNear(tm, root, keyHigh, keyLow)) {
    holdLeaf(tree, finger.leaf);
    const index = node.lowerBound(keyHigh[levels - 1]!, keyLow[levels - 1]!);
    const done = node.nrEntries < node.maxEntries || isOverwrite(tree, keyHigh[levels - 1]!, keyLow[levels - 1]!);
    if (done) outcome.wasNew = placeValue(tree, index, tree.valueType);
    releaseLeaf(tree);
    if (done) {
      finger.keep(tm);
      return root;
    }
  }
  const owned = takeOwnedLeaf(tree, root);
  if (owned !== NOT_OWNED) {
    outcome.wasNew = placeValue(tree, owned, tree.valueType);
    const leaf = tm.blockManager.blockAt(node.base);
    releaseLeaf(tree);
    finger.settle(tm, root, leaf, keyHigh, keyLow);
    return root;
  }
  spine.begin();
  finger.beginWalk();
  let block = root;
  let index = -1;
  for (let level = 0; level < levels - 1; level++) {
    index = descend(tree, block, level, index);
    const high = tree.keyHigh[level]!;
    const low = tree.keyLow[level]!;
    if (index < 0 || !node.hasKey(index, high, low)) {
      // Sub-trees are made where they are first needed. The leaf stays locked meanwhile.
      const subRoot = createEmpty(tree, level + 1);
      node.base = spine.current;
      index++;
      node.openGap(index, high, low);
      node.setChild(index, subRoot);
    }
    block = node.childAt(index);
  }
  index = descend(tree, block, levels - 1, index);
  outcome.wasNew = placeValue(tree, index, tree.valueType);
  const leaf = tm.blockManager.blockAt(spine.current);
  spine.end();
  finger.settle(tm, spine.root, leaf, keyHigh, keyLow);
  return spine.root;
}

/** Puts the scratch value into the leaf: over the entry at `index` if that has the key, else behind it. Answers whether it is new. */
function placeValue<V>(tree: TreeContext<V>, index: number, type: ValueType<V>): boolean {
  const { node, scratch, levels } = tree;
  const high = tree.keyHigh[levels - 1]!;
  const low = tree.keyLow[levels - 1]!;
  if (index >= 0 && node.hasKey(index, high, low)) {
    const at = node.valueAt(index);
    if (type.dec && !type.equal?.(node.slab, at, scratch, 0)) type.dec(node.slab, at, 1);
    copyScratch(tree, at);
    return false;
  }
  node.openGap(index + 1, high, low);
  copyScratch(tree, node.valueAt(index + 1));
  return true;
}

function copyScratch<V>(tree: TreeContext<V>, at: number): void {
  const { size } = tree.valueType;
  const { bytes, words } = tree.node.slab;
  // Two words is by far the most frequent size; a typed array's set costs as much as the rest of the insert.
  if (size === 8) {
    words[at >>> 2] = tree.scratch.words[0]!;
    words[(at >>> 2) + 1] = tree.scratch.words[1]!;
    return;
  }
  const from = tree.scratch.bytes;
  for (let i = 0; i < size; i++) bytes[at + i] = from[i]!;
}
