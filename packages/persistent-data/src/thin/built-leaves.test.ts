import { expect, test } from 'vitest';
import { BuiltLeaves } from './built-leaves.ts';

test('`BuiltLeaves` gives back what was added, however many', () => {
  const leaves = new BuiltLeaves();
  const added = Array.from({ length: 40 }, (_, i) => ({
    block: 4_000_000 + i,
    nrEntries: 100 + i,
    firstHigh: i,
    firstLow: 0xffff_fff0 + (i % 8),
    lastHigh: i + 1,
    lastLow: i,
  }));
  for (const leaf of added) leaves.add(leaf);
  expect([...leaves]).toEqual(added);
  expect(leaves.length).toBe(40);
  expect(leaves.nrEntries).toBe(added.reduce((sum, { nrEntries }) => sum + nrEntries, 0));
});
