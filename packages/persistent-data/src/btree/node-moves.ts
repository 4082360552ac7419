import { assert } from '../base/index.ts';
import type { NodeView } from '../format/index.ts';

/** Moves `count` entries from the tail of `left` to the front of `right`. What they leave behind is not cleared. */
export function moveToRight(left: NodeView, right: NodeView, count: number): void {
  if (count === 0) return;
  const leftNr = left.nrEntries;
  const rightNr = right.nrEntries;
  assert(count > 0 && count <= leftNr, 'the left node has the entries');
  assert(rightNr + count <= right.maxEntries, 'the right node has room');
  right.moveEntries(0, count, rightNr);
  right.copyEntries(0, left, leftNr - count, count);
  left.nrEntries = leftNr - count;
  right.nrEntries = rightNr + count;
}

/** Moves `count` entries from the front of `right` to the tail of `left`. */
export function moveToLeft(left: NodeView, right: NodeView, count: number): void {
  if (count === 0) return;
  const leftNr = left.nrEntries;
  const rightNr = right.nrEntries;
  assert(count > 0 && count <= rightNr, 'the right node has the entries');
  assert(leftNr + count <= left.maxEntries, 'the left node has room');
  left.copyEntries(leftNr, right, 0, count);
  right.moveEntries(count, 0, rightNr - count);
  left.nrEntries = leftNr + count;
  right.nrEntries = rightNr - count;
}

/** Moves `count` entries from left to right, or -`count` from right to left. */
export function shift(left: NodeView, right: NodeView, count: number): void {
  if (count < 0) moveToLeft(left, right, -count);
  else moveToRight(left, right, count);
}

/** Sets entry `index` of a parent to the first key of its child. */
export function copyFirstKey(parent: NodeView, index: number, child: NodeView): void {
  parent.setKey(index, child.keyHigh(0), child.keyLow(0));
}
