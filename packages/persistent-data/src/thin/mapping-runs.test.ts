import { expect, test } from 'vitest';
import { MappingRuns } from './mapping-runs.ts';

function runs(mappings: [virtualBlock: number, dataBlock: number, time: number][]): number[][] {
  const found: number[][] = [];
  const merger = new MappingRuns({ map: (...run) => void found.push(run) });
  for (const mapping of mappings) merger.add(...mapping);
  merger.flush();
  merger.flush();
  return found;
}

test('`MappingRuns` merges what advances in both spaces at one time', () => {
  expect(
    runs([
      [3, 10, 1],
      [4, 11, 1],
      [5, 12, 1],
    ]),
  ).toEqual([[3, 10, 3, 1]]);
});

test.each([
  ['a gap in the virtual blocks', [5, 11, 1]],
  ['a gap in the data blocks', [4, 12, 1]],
  ['data blocks that go backwards', [4, 9, 1]],
  ['another time', [4, 11, 2]],
] as [string, [number, number, number]][])('`MappingRuns` ends a run at %s', (_, next) => {
  expect(runs([[3, 10, 1], next])).toEqual([
    [3, 10, 1, 1],
    [next[0], next[1], 1, next[2]],
  ]);
});

test('`MappingRuns.flush()` separates runs that would fit together', () => {
  const found: number[][] = [];
  const merger = new MappingRuns({ map: (...run) => void found.push(run) });
  merger.add(0, 0, 0);
  merger.flush();
  merger.add(1, 1, 0);
  merger.flush();
  expect(found).toEqual([
    [0, 0, 1, 0],
    [1, 1, 1, 0],
  ]);
});

test('`MappingRuns` has nothing to say of nothing', () => {
  expect(runs([])).toEqual([]);
});
