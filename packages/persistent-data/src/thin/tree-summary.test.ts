import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { addTimes, TreeSummaries } from './tree-summary.ts';

function summaries(lost: readonly number[] = []): TreeSummaries {
  const disk = MemoryDevice.from(goldenImage('tools', 'gen').bytes());
  for (const block of lost) disk.write(block, [new Uint8Array(4096)]);
  return new TreeSummaries(new BlockScanner(disk));
}

test('a tree is summed up', () => {
  expect(summaries().of(3)).toMatchObject({
    nrMappings: 300,
    highestMapped: 1299,
    firstKey: 0,
    lastKey: 299,
    height: 1,
  });
  expect(summaries().of(5)?.times).toEqual(new Map([[1, 4]]));
});

test('what has anything unbelievable in it has no summary, and what is no tree of mappings neither', () => {
  const damaged = summaries([2]);
  expect([damaged.of(3), damaged.of(3), damaged.of(4)]).toEqual([undefined, undefined, undefined]);
  expect(damaged.of(5)?.nrMappings).toBe(4);
  for (const block of [0, 6, 8, 99_999]) expect(summaries().of(block)).toBeUndefined();
});

test('times beyond the newest 256 are added up', () => {
  const times = new Map<number, number>();
  addTimes(times, new Map(Array.from({ length: 1000 }, (_, i) => [i, 1])));
  expect(times.size).toBe(256);
  expect(times.get(999)).toBe(1);
  expect(times.get(744)).toBe(745);
});
