import { assert } from '../base/index.ts';
import { NODE_VALIDATOR, type NodeView, WORDS_PER_BLOCK } from '../format/index.ts';
import { copyFirstKey, shift } from './node-moves.ts';
import { checkGeometry, incChildren, refuseUnlike, shadowNode } from './spine.ts';
import type { TreeContext } from './tree-context.ts';
import type { ValueType } from './value-type.ts';

/** Bytes. No tree of the kernel has larger values; where they are larger, shapes are ours to choose. */
const LARGEST_KERNEL_VALUE = 24;

/**
 * Makes the children of the current (internal) node ready for the removal of a key below one of them. Cases:
 *
 * 1. one child: it is copied over the node (*root collapse*);
 * 2. no left sibling of the child: even out or merge with the right one;
 * 3. no right sibling: with the left one;
 * 4. else: with both.
 *
 * All children that take part are shadowed, even if nothing moves.
 *
 * @returns Whether the key may be there: false when it is below all keys.
 */
export function rebalanceChildren<V>(
  tree: TreeContext<V>,
  type: ValueType<unknown>,
  high: number,
  low: number,
): boolean {
  const { node } = tree;
  while (node.nrEntries === 1) {
    collapse(tree, type);
    // The kernel leaves the children that the node has now for the next time, so that one may come out an entry short of a third. With its
    // sizes of values that does no harm; where a third is one entry, a leaf would be empty.
    if (node.isLeaf || type.size <= LARGEST_KERNEL_VALUE) return true;
  }
  const index = node.lowerBound(high, low);
  if (index < 0) return false;
  if (index === 0) rebalancePair(tree, type, 0);
  else if (index === node.nrEntries - 1) rebalancePair(tree, type, index - 1);
  else rebalanceThree(tree, type, index - 1);
  return true;
}

/** The only child's whole content is copied over the node, and the child loses one reference; not so its children. */
function collapse<V>(tree: TreeContext<V>, type: ValueType<unknown>): void {
  const { tm, node } = tree;
  const block = node.childAt(0);
  const shared = tm.isShared(block);
  const from = tm.readLock(block, NODE_VALIDATOR);
  node.words.copyWithin(node.base, from, from + WORDS_PER_BLOCK);
  tm.unlock(from);
  checkGeometry(tm, node, block, type);
  // Somebody else keeps the child: what it refers to is now referred to by the copy as well.
  if (shared) incChildren(tm, node, type);
  tm.dec(block);
}

/** Shadows child `index` of the current node into `view`, locked, and leads the node to it. */
function takeChild<V>(tree: TreeContext<V>, type: ValueType<unknown>, index: number, view: NodeView): void {
  const { tm, node } = tree;
  view.base = shadowNode(tm, node.childAt(index), type, view);
  node.setChild(index, tm.blockManager.blockAt(view.base));
}

function rebalancePair<V>(tree: TreeContext<V>, type: ValueType<unknown>, leftIndex: number): void {
  const { tm, left, right } = tree;
  takeChild(tree, type, leftIndex, left);
  takeChild(tree, type, leftIndex + 1, right);
  refuseUnlike(tm, left, right);
  evenOutOrMerge(tree, leftIndex);
  tm.unlock(left.base);
  tm.unlock(right.base);
}

/** Two children, locked in `left` and `right`: merge them when they fit well into one, else give each half. */
function evenOutOrMerge<V>(tree: TreeContext<V>, leftIndex: number): void {
  const { tm, node, left, right } = tree;
  const total = left.nrEntries + right.nrEntries;
  // After an even split of this many both halves have more than a third, so that one removal leaves each with a third at least.
  const threshold = 2 * (Math.floor(left.maxEntries / 3) + 1);
  if (total < threshold) {
    left.copyEntries(left.nrEntries, right, 0, right.nrEntries);
    left.nrEntries = total;
    node.deleteAt(leftIndex + 1);
    // Its children moved: only the block itself is given up.
    tm.dec(tm.blockManager.blockAt(right.base));
    return;
  }
  shift(left, right, left.nrEntries - (total >>> 1));
  copyFirstKey(node, leftIndex + 1, right);
}

function rebalanceThree<V>(tree: TreeContext<V>, type: ValueType<unknown>, leftIndex: number): void {
  const { tm, left, center, right } = tree;
  takeChild(tree, type, leftIndex, left);
  takeChild(tree, type, leftIndex + 1, center);
  takeChild(tree, type, leftIndex + 2, right);
  refuseUnlike(tm, left, center);
  refuseUnlike(tm, left, right);
  const total = left.nrEntries + center.nrEntries + right.nrEntries;
  if (left.maxEntries === 3 && total === 3) mergeCenter(tree, leftIndex);
  else if (total < 4 * Math.floor(left.maxEntries / 3) + 1) deleteCenter(tree, leftIndex);
  else redistributeThree(tree, leftIndex, total);
  tm.unlock(left.base);
  tm.unlock(center.base);
  tm.unlock(right.base);
}

/**
 * Three children with one entry each: only the left and the centre one are merged. All in one would take two entries from the parent, which
 * was made ready to lose one.
 */
function mergeCenter<V>(tree: TreeContext<V>, leftIndex: number): void {
  const { tm, node, left, center } = tree;
  left.copyEntries(1, center, 0, 1);
  left.nrEntries = 2;
  node.deleteAt(leftIndex + 1);
  tm.dec(tm.blockManager.blockAt(center.base));
}

/** The centre's entries fill the left node up, the rest goes to the right one; then those two are evened out or merged. */
function deleteCenter<V>(tree: TreeContext<V>, leftIndex: number): void {
  const { tm, node, left, center, right } = tree;
  const leftNr = left.nrEntries;
  const centerNr = center.nrEntries;
  const rightNr = right.nrEntries;
  const toLeft = Math.min(left.maxEntries - leftNr, centerNr);
  const toRight = centerNr - toLeft;
  assert(rightNr + toRight <= right.maxEntries, 'the centre fits into its neighbours');
  left.copyEntries(leftNr, center, 0, toLeft);
  left.nrEntries = leftNr + toLeft;
  if (toRight > 0) {
    right.moveEntries(0, toRight, rightNr);
    right.copyEntries(0, center, toLeft, toRight);
    right.nrEntries = rightNr + toRight;
  }
  copyFirstKey(node, leftIndex + 2, right);
  node.deleteAt(leftIndex + 1);
  tm.dec(tm.blockManager.blockAt(center.base));
  evenOutOrMerge(tree, leftIndex);
}

/**
 * Gives each of three children a third, the left one first. Begins with the smaller of the outer two. Where the centre has too few
 * entries for what that one lacks (only with under-full nodes of old kernels), the rest comes from the other end.
 */
function redistributeThree<V>(tree: TreeContext<V>, leftIndex: number, total: number): void {
  const { node, left, center, right } = tree;
  const targetRight = Math.floor(total / 3);
  const targetLeft = targetRight * 3 === total ? targetRight : targetRight + 1;
  if (left.nrEntries < right.nrEntries) {
    const surplus = left.nrEntries - targetLeft;
    if (surplus < 0 && center.nrEntries < -surplus) {
      const fromCenter = center.nrEntries;
      shift(left, center, -fromCenter);
      shift(left, right, surplus + fromCenter);
    } else {
      shift(left, center, surplus);
    }
    shift(center, right, targetRight - right.nrEntries);
  } else {
    const lack = targetRight - right.nrEntries;
    if (lack > 0 && center.nrEntries < lack) {
      const fromCenter = center.nrEntries;
      shift(center, right, fromCenter);
      shift(left, right, lack - fromCenter);
    } else {
      shift(center, right, lack);
    }
    shift(left, center, left.nrEntries - targetLeft);
  }
  copyFirstKey(node, leftIndex + 1, center);
  copyFirstKey(node, leftIndex + 2, right);
}
