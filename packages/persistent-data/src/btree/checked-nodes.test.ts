import { expect, test } from 'vitest';
import { CheckedNodes, type NodeSummary } from './checked-nodes.ts';

const summary: NodeSummary = {
  levelsLeft: 1,
  height: 0,
  damaged: false,
  nrEntries: 3,
  nrKeys: 3,
  firstHigh: 0,
  firstLow: 1,
  lastHigh: 0,
  lastLow: 9,
};

test('nodes are remembered by block, also far apart, and can be corrected', () => {
  const nodes = new CheckedNodes();
  const blocks = [0, 1, 4095, 4096, 2 ** 31 - 1];
  for (const block of blocks) expect(nodes.get(block)).toBeUndefined();
  for (const block of blocks) nodes.set(block, { ...summary, nrEntries: block });
  for (const block of blocks) expect(nodes.get(block)?.nrEntries).toBe(block);
  nodes.set(4096, summary);
  expect([nodes.size, nodes.get(4096)?.nrEntries, nodes.get(4095)?.nrEntries]).toEqual([5, 3, 4095]);
});

test('a number that is no block is not taken for one', () => {
  const nodes = new CheckedNodes();
  nodes.set(5, summary);
  expect(nodes.get(2 ** 32 + 5)).toBeUndefined();
  expect(nodes.get(2 ** 63)).toBeUndefined();
});
