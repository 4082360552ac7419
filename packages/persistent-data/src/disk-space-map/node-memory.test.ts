import { expect, test } from 'vitest';
import { NODE_STATE, NodeMemory } from './node-memory.ts';

test('`NodeMemory` keeps a leaf', () => {
  const memory = new NodeMemory(10);
  expect(memory.state(4)).toBe(NODE_STATE.unknown);
  memory.set(4, 7, NODE_STATE.leaf, true);
  memory.summarise(4, { nrEntries: 2, first: 5, last: 2 ** 50, height: 0, damaged: false });
  expect([memory.state(4), memory.kind(4), memory.isUnderfull(4), memory.isDamaged(4)]).toEqual([
    NODE_STATE.leaf,
    7,
    true,
    false,
  ]);
  expect([memory.nrEntries(4), memory.first(4), memory.last(4)]).toEqual([2, 5, 2 ** 50]);
});

test('an open node is internal once it is summed up', () => {
  const memory = new NodeMemory(10);
  memory.set(1, 2, NODE_STATE.open);
  memory.summarise(1, { nrEntries: 500, first: 0, last: 1, height: 3, damaged: true });
  expect([memory.state(1), memory.kind(1), memory.isUnderfull(1), memory.isDamaged(1)]).toEqual([
    NODE_STATE.internal,
    2,
    false,
    true,
  ]);
  expect(memory.height(1)).toBe(3);
});
