import { expect, test } from 'vitest';
import { RecordedCounts } from './recorded-counts.ts';

test('`RecordedCounts` keeps the last count of each block', () => {
  const counts = new RecordedCounts();
  counts.set(5, 3);
  counts.set(5, 4);
  counts.set(2 ** 39, 0xffff_ffff);
  expect([counts.get(5), counts.get(6), counts.get(2 ** 39), counts.get(2 ** 30)]).toEqual([4, 0, 0xffff_ffff, 0]);
  expect(counts.size).toBe(2);
});
