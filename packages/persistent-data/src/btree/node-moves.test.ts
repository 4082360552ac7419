import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { NODE_FLAG_INTERNAL, NODE_FLAG_LEAF, NodeView } from '../format/index.ts';
import { copyFirstKey, shift } from './node-moves.ts';

function pair(left: readonly number[], right: readonly number[]): [NodeView, NodeView] {
  const slab = Slab.ofSize(8192);
  return [left, right].map((keys, n) => {
    const node = new NodeView(slab, 1024 * n);
    node.setHeader(NODE_FLAG_LEAF, keys.length, 8);
    for (const [i, key] of keys.entries()) {
      node.setKey(i, 0, key);
      node.setChild(i, 100 + key);
    }
    return node;
  }) as [NodeView, NodeView];
}

const entries = (node: NodeView) => Array.from({ length: node.nrEntries }, (_, i) => [node.keyAt(i), node.childAt(i)]);
const wanted = (keys: readonly number[]) => keys.map((key) => [key, 100 + key]);

test.each([
  [0, [1, 2, 3], [4, 5]],
  [2, [1], [2, 3, 4, 5]],
  [3, [], [1, 2, 3, 4, 5]],
  [-1, [1, 2, 3, 4], [5]],
  [-2, [1, 2, 3, 4, 5], []],
])('a shift by %i', (count, left, right) => {
  const [a, b] = pair([1, 2, 3], [4, 5]);
  shift(a, b, count);
  expect([entries(a), entries(b)]).toEqual([wanted(left), wanted(right)]);
});

test('what entries leave behind is not cleared', () => {
  const [a, b] = pair([1, 2, 3], [4, 5]);
  shift(a, b, 1);
  expect(a.keyAt(2)).toBe(3);
  shift(a, b, -1);
  expect(b.keyAt(2)).toBe(5);
});

test('a shift of more than there is, or than there is room for, is a bug', () => {
  const [a, b] = pair([1, 2, 3], [4, 5]);
  expect(() => shift(a, b, 4)).toThrow('the left node has the entries');
  expect(() => shift(a, b, -3)).toThrow('the right node has the entries');
  a.nrEntries = 252;
  expect(() => shift(a, b, -1)).toThrow('the left node has room');
});

test("a parent takes its child's first key", () => {
  const [parent, child] = pair([1, 2], [7, 8]);
  parent.setHeader(NODE_FLAG_INTERNAL, 2, 8);
  copyFirstKey(parent, 1, child);
  expect(parent.keyAt(1)).toBe(7);
});
