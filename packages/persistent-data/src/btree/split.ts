import { assert } from '../base/index.ts';
import { NODE_FLAG_INTERNAL, NODE_VALIDATOR, type NodeView } from '../format/index.ts';
import { copyFirstKey, shift } from './node-moves.ts';
import { refuseUnlike, shadowNode } from './spine.ts';
import type { TreeContext } from './tree-context.ts';
import type { ValueType } from './value-type.ts';

/**
 * A sibling takes entries only if it has this much room: moving fewer would soon have to be done again. In nodes of less than 24 entries, which
 * the kernel never has, a third of it: a sibling that is left alone is then full enough to be split with.
 */
const SPACE_THRESHOLD = 8;

function roomWanted(maxEntries: number): number {
  return maxEntries < 3 * SPACE_THRESHOLD ? Math.max(maxEntries / 3, 2) : SPACE_THRESHOLD;
}

/** Allocates a node of the kind of `like` and fills it with `count` of its entries. The new node stays locked. */
function newSibling<V>(tree: TreeContext<V>, view: NodeView, like: NodeView, from: number, count: number): number {
  view.base = tree.tm.newBlock(NODE_VALIDATOR);
  view.copyGeometry(like);
  view.copyEntries(0, like, from, count);
  view.nrEntries = count;
  return tree.tm.blockManager.blockAt(view.base);
}

/**
 * The top node of a level is full: its entries go into two new nodes, and it becomes their parent, so that whoever refers to it
 * needs no change and the tree grows by a level. The spine stays at it: a key below all others has to lower its first key.
 */
export function splitBeneath<V>(tree: TreeContext<V>): void {
  const { tm, node, left, right } = tree;
  const total = node.nrEntries;
  const leftNr = total >>> 1;
  // Left is whole before right is allocated: should that fail, no half-made node can reach the disk.
  const leftBlock = newSibling(tree, left, node, 0, leftNr);
  const rightBlock = newSibling(tree, right, node, leftNr, total - leftNr);
  node.setHeader(NODE_FLAG_INTERNAL, 2, 8);
  copyFirstKey(node, 0, left);
  copyFirstKey(node, 1, right);
  node.setChild(0, leftBlock);
  node.setChild(1, rightBlock);
  tm.unlock(left.base);
  tm.unlock(right.base);
}

/**
 * A node below the top is full. Cases, in this order:
 *
 * 1. the left sibling is not shared and has room: even the two out;
 * 2. likewise the right sibling;
 * 3. a sibling is shared, or the node is at an edge of its parent, or the parent has no more than two children: one into two;
 * 4. else two into three, with the left sibling.
 *
 * Evening out first keeps nodes full under sequential keys. A shared sibling is left alone, as it would have to be copied; at the
 * edges keys come in order and plain splitting is cheaper.
 *
 * @param index - Where the parent refers to the node. The parent is not full: it was made so on the way down.
 * @param wanted - Room that a sibling needs for evening out, if more than the kernel wants: for many entries at once. The node is full then, or at least
 *   two thirds full, and `wanted` is at most a third.
 */
export function makeRoom<V>(
  tree: TreeContext<V>,
  type: ValueType<unknown>,
  index: number,
  high: number,
  low: number,
  wanted = 0,
): void {
  const { spine, center: parent, node } = tree;
  parent.base = spine.parent;
  const parentNr = parent.nrEntries;
  const enough = Math.max(roomWanted(node.maxEntries), wanted);
  let siblingShared = false;
  for (const siblingIndex of [index - 1, index + 1]) {
    if (siblingIndex < 0 || siblingIndex >= parentNr) continue;
    const room = roomInSibling(tree, parent.childAt(siblingIndex));
    if (room >= enough) {
      evenOut(tree, type, siblingIndex, siblingIndex < index, high, low);
      return;
    }
    siblingShared ||= room === SHARED;
  }
  if (siblingShared || parentNr <= 2 || index === 0 || index === parentNr - 1) oneIntoTwo(tree, index, high, low);
  else twoIntoThree(tree, type, index, high, low);
}

const SHARED = -1;

/** Free entries of a sibling, or {@link SHARED}. */
function roomInSibling<V>(tree: TreeContext<V>, block: number): number {
  const { tm, left: sibling } = tree;
  if (tm.isShared(block)) return SHARED;
  sibling.base = tm.read(block, NODE_VALIDATOR);
  return sibling.maxEntries - sibling.nrEntries;
}

/** Keeps that one of two neighbours as the current node whose range holds the key, and unlocks the other. */
function keepOneOf<V>(tree: TreeContext<V>, left: NodeView, right: NodeView, high: number, low: number): void {
  const keepLeft = right.lowerBound(high, low) < 0;
  tree.tm.unlock(keepLeft ? right.base : left.base);
  tree.spine.current = keepLeft ? left.base : right.base;
}

/** Evens the current node out with the sibling at `siblingIndex` of the parent. */
function evenOut<V>(
  tree: TreeContext<V>,
  type: ValueType<unknown>,
  siblingIndex: number,
  siblingIsLeft: boolean,
  high: number,
  low: number,
): void {
  const { tm, spine, center: parent, node } = tree;
  const sibling = siblingIsLeft ? tree.left : tree.right;
  sibling.base = shadowNode(tm, parent.childAt(siblingIndex), type, sibling);
  refuseUnlike(tm, node, sibling);
  parent.base = spine.parent;
  parent.setChild(siblingIndex, tm.blockManager.blockAt(sibling.base));
  const left = siblingIsLeft ? sibling : node;
  const right = siblingIsLeft ? node : sibling;
  const targetLeft = (left.nrEntries + right.nrEntries) >>> 1;
  shift(left, right, left.nrEntries - targetLeft);
  copyFirstKey(parent, siblingIsLeft ? siblingIndex + 1 : siblingIndex, right);
  keepOneOf(tree, left, right, high, low);
}

/** The tail of the current node goes into a new one to its right. */
function oneIntoTwo<V>(tree: TreeContext<V>, index: number, high: number, low: number): void {
  const { spine, center: parent, node, right } = tree;
  const total = node.nrEntries;
  const leftNr = total >>> 1;
  const block = newSibling(tree, right, node, leftNr, total - leftNr);
  node.nrEntries = leftNr;
  parent.base = spine.parent;
  parent.openGap(index + 1, right.keyHigh(0), right.keyLow(0));
  parent.setChild(index + 1, block);
  keepOneOf(tree, node, right, high, low);
}

/** The left sibling L and the current node N, both full, become L, M and N with a third each. */
function twoIntoThree<V>(
  tree: TreeContext<V>,
  type: ValueType<unknown>,
  index: number,
  high: number,
  low: number,
): void {
  const { tm, spine, center: parent, node: right, left, right: middle } = tree;
  left.base = shadowNode(tm, parent.childAt(index - 1), type, left);
  refuseUnlike(tm, right, left);
  parent.setChild(index - 1, tm.blockManager.blockAt(left.base));
  const total = left.nrEntries + right.nrEntries;
  const targetLeft = Math.floor(total / 3);
  const targetMiddle = (total - targetLeft) >>> 1;
  const targetRight = total - targetLeft - targetMiddle;
  const fromLeft = left.nrEntries - targetLeft;
  const fromRight = right.nrEntries - targetRight;
  assert(fromLeft >= 0 && fromRight >= 0, 'both nodes are full enough to give entries');
  // M: the tail of L, then the head of N.
  const middleBlock = newSibling(tree, middle, left, targetLeft, fromLeft);
  middle.copyEntries(fromLeft, right, 0, fromRight);
  middle.nrEntries = targetMiddle;
  left.nrEntries = targetLeft;
  right.moveEntries(fromRight, 0, targetRight);
  right.nrEntries = targetRight;
  parent.base = spine.parent;
  parent.openGap(index, middle.keyHigh(0), middle.keyLow(0));
  parent.setChild(index, middleBlock);
  copyFirstKey(parent, index + 1, right);
  if (middle.lowerBound(high, low) < 0) {
    tm.unlock(middle.base);
    tm.unlock(right.base);
    spine.current = left.base;
  } else {
    tm.unlock(left.base);
    keepOneOf(tree, middle, right, high, low);
  }
}
