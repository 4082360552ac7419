import { expect, test } from 'vitest';
import { MarkedBlocks } from './marked-blocks.ts';

test('a block is marked after it was added, others are not, none is beyond the end', () => {
  const marked = new MarkedBlocks(100);
  for (const b of [0, 7, 8, 99]) marked.add(b);
  const found = Array.from({ length: 200 }, (_, b) => b).filter((b) => marked.has(b));
  expect(found).toEqual([0, 7, 8, 99]);
  expect(new MarkedBlocks(0).has(0)).toBe(false);
});
