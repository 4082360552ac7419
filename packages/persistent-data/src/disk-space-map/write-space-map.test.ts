import { describe, expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import type { Finding } from '../base/index.ts';
import { INDEX_ENTRY } from '../format/index.ts';
import { type CountedSpaceMap, compareCounts, countDataSpaceMap, countMetadataSpaceMap } from './check-space-map.ts';
import { DataSpaceMap } from './data-space-map.ts';
import { openMetadata } from './open-metadata.ts';
import { ReferenceCounter } from './reference-counter.ts';
import { TreeChecker } from './tree-checker.ts';
import { type FinalCounts, writeDataSpaceMap, writeMetadataSpaceMap } from './write-space-map.ts';

/** Counts of all sizes: free stretches, full stretches, and a mixture. */
function counts(nrBlocks: number): ReferenceCounter {
  const counter = new ReferenceCounter(nrBlocks);
  const countOf = (b: number): number => {
    if (b % 1000 < 300) return 0;
    if (b % 1000 < 600) return 1;
    return b % 1000 === 999 ? 300 : b % 6;
  };
  for (let b = 0; b < nrBlocks; b++) for (let i = 0; i < countOf(b); i++) counter.inc(b);
  return counter;
}

function drained(run: Generator<Finding, CountedSpaceMap>): [Finding[], CountedSpaceMap] {
  const findings: Finding[] = [];
  let step = run.next();
  for (; !step.done; step = run.next()) findings.push(step.value);
  return [findings, step.value];
}

describe('writeDataSpaceMap()', () => {
  test.each([0, 1, 16_319, 16_320, 16_321, 60_000])('a map of %i blocks is what was counted', (nrBlocks) => {
    const space = new ScratchSpace();
    const wanted = counts(nrBlocks);
    const root = writeDataSpaceMap(space.tm, wanted);
    space.commit();
    const checker = new TreeChecker(space.device);
    const [findings, map] = drained(countDataSpaceMap(checker, root));
    expect([...findings, ...compareCounts(checker, map, wanted)]).toEqual([]);
    const opened = DataSpaceMap.open(space.tm, root);
    expect(opened.nrBlocks).toBe(nrBlocks);
    for (let b = 0; b < nrBlocks; b += 333) expect(opened.getCount(b)).toBe(wanted.count(b));
  });

  test('the index says how many are free, 16320 to a bitmap, and where the first is', () => {
    const space = new ScratchSpace();
    const counter = new ReferenceCounter(20_000);
    for (let b = 0; b < 16_320; b++) counter.inc(b);
    counter.inc(16_320);
    const { bitmapRoot, nrAllocated } = writeDataSpaceMap(space.tm, counter);
    expect(nrAllocated).toBe(16_321);
    space.commit();
    const bytes = space.device.toBytes().subarray(bitmapRoot * 4096, (bitmapRoot + 1) * 4096);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const entry = (i: number): number[] => {
      const at = 1376 + i * INDEX_ENTRY.size;
      return [view.getUint32(at + 8, true), view.getUint32(at + 12, true)];
    };
    expect([entry(0), entry(1)]).toEqual([
      [0, 16_320],
      [16_319, 1],
    ]);
  });
});

test('`writeMetadataSpaceMap()` counts what it allocates itself', () => {
  const space = new ScratchSpace({ nrBlocks: 20_000 });
  const { tm, spaceMap } = space;
  const shared = spaceMap.newBlock();
  for (let i = 0; i < 4; i++) tm.inc(shared);
  const finals: FinalCounts = {
    nrBlocks: spaceMap.nrBlocks,
    count: (b) => spaceMap.getCount(b),
    copyBytes: (begin, target) => target.set(target.map((_, i) => Math.min(255, spaceMap.getCount(begin + i)))),
  };
  const root = writeMetadataSpaceMap(tm, finals);
  space.commit();
  expect(root.nrAllocated).toBe(2 + 2 + 1 + 1);
  const checker = new TreeChecker(space.device);
  checker.countBlock(0, 'superblock');
  for (let i = 0; i < 5; i++) checker.countBlock(shared, 'shared');
  const [findings, map] = drained(countMetadataSpaceMap(checker, root));
  expect([...findings, ...compareCounts(checker, map, checker.counts)]).toEqual([]);
  expect(openMetadata(space.blockManager, root).spaceMap.getCount(shared)).toBe(5);
});
