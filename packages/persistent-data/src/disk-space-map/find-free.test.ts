import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { ENTRIES_PER_BITMAP } from '../format/index.ts';
import { DataIndex } from './data-index.ts';
import { countCommonFree, type FrozenMap, findCommonFree, findUsed } from './find-free.ts';
import { LowLevelMap } from './low-level-map.ts';

function mapOf(nrBlocks: number) {
  const space = new ScratchSpace();
  const index = new DataIndex(space.tm);
  index.create();
  const map = new LowLevelMap(space.tm, index);
  map.create();
  map.extend(nrBlocks);
  const find = (begin: number, end = map.nrBlocks, kept: FrozenMap[] = []) =>
    findCommonFree(space.tm, index, kept, begin, end);
  /** The state as committed: kept bitmaps stay as they are. */
  const freeze = (): FrozenMap => {
    index.commit();
    const frozen = map.freeze();
    space.commit();
    return frozen;
  };
  return { space, index, map, find, freeze };
}

describe('the first free block', () => {
  test('of an empty map is the one where the search begins', () => {
    const { find } = mapOf(20000);
    for (const begin of [0, 1, 15, 16, 17, 16319, 16320, 16321, 19999]) expect(find(begin)).toBe(begin);
    expect(find(20000)).toBe(-1);
  });

  test('is found behind full words, full bitmaps, and wherever in a word it is', () => {
    const { map, find } = mapOf(3 * ENTRIES_PER_BITMAP);
    map.incRange(0, 2 * ENTRIES_PER_BITMAP + 100);
    expect(find(0)).toBe(2 * ENTRIES_PER_BITMAP + 100);
    for (const b of [40_000, 20_000, 333, 31, 17, 16, 15, 0]) {
      if (b < 2 * ENTRIES_PER_BITMAP) map.decRange(b, b + 1);
      expect(find(0)).toBe(Math.min(b, 2 * ENTRIES_PER_BITMAP + 100));
    }
    expect([find(1), find(16), find(18), find(32)]).toEqual([15, 16, 31, 333]);
  });

  test('is below the end, also where the end is in the midst of a word', () => {
    const { map, find } = mapOf(100);
    map.incRange(0, 50);
    expect([find(0, 50), find(0, 51), find(50, 50), find(0, 0)]).toEqual([-1, 50, -1, -1]);
  });

  test('may be the very last of a bitmap (R19)', () => {
    for (const nrBitmaps of [1, 2, 3]) {
      const end = nrBitmaps * ENTRIES_PER_BITMAP;
      const { map, find } = mapOf(end);
      map.incRange(0, end - 1);
      expect([find(0), find(end - 1)]).toEqual([end - 1, end - 1]);
      map.incRange(end - 1, end);
      expect([find(0), find(end - 1)]).toEqual([-1, -1]);
    }
  });

  test('is not sought in a bitmap without a free entry: that is not read', () => {
    const { space, map, find } = mapOf(3 * ENTRIES_PER_BITMAP);
    map.incRange(0, 2 * ENTRIES_PER_BITMAP);
    const { hits, misses } = space.blockManager.statistics;
    expect(find(0)).toBe(2 * ENTRIES_PER_BITMAP);
    const after = space.blockManager.statistics;
    // One read: of the third bitmap. The index entries are in core.
    expect(after.hits + after.misses - hits - misses).toBe(1);
    expect(space.blockManager.nrLocked).toBe(0);
  });
});

describe('the first block that is free in kept versions too', () => {
  test('passes over blocks freed since', () => {
    const { map, find, freeze } = mapOf(200);
    map.incRange(0, 100);
    const committed = freeze();
    map.decRange(10, 60);
    expect([find(0), find(0, 200, [committed])]).toEqual([10, 100]);
    map.incRange(100, 150);
    const later = freeze();
    map.decRange(100, 120);
    expect([find(0, 200, [committed]), find(0, 200, [later]), find(0, 200, [committed, later])]).toEqual([
      100, 10, 150,
    ]);
  });

  test('may be beyond the end of a kept version', () => {
    const { map, find, freeze } = mapOf(100);
    map.incRange(0, 100);
    const committed = freeze();
    map.extend(50);
    expect(find(0, 150, [committed])).toBe(100);
    map.extend(40_000);
    map.incRange(100, 20_000);
    expect(find(0, 40_150, [committed])).toBe(20_000);
  });

  test('is what a search in one map and a look-up in the others give', () => {
    const range = fc.tuple(fc.nat(400), fc.nat(80));
    const version = fc.array(range, { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(version, { maxLength: 4 }), fc.nat(450), (versions, begin) => {
        const { map, find, freeze, space, index } = mapOf(450);
        const kept: FrozenMap[] = [];
        const used: boolean[][] = [];
        for (const ranges of versions) {
          for (const [from, length] of ranges) {
            // Toggles: inc what is free, dec what is not.
            for (let b = from; b < Math.min(from + length, 450); b++) {
              if (map.count(b) === 0) map.incRange(b, b + 1);
              else map.decRange(b, b + 1);
            }
          }
          used.push(Array.from({ length: 450 }, (_, b) => map.count(b) > 0));
          kept.push(freeze());
        }
        const now = Array.from({ length: 450 }, (_, b) => map.count(b) > 0);
        const wanted = now.findIndex((isUsed, b) => b >= begin && !isUsed && used.every((version) => !version[b]));
        expect(find(begin, 450, kept)).toBe(wanted);
        for (const end of [0, 1, 15, 16, 17, begin, 450]) {
          const free = now.filter((isUsed, b) => b < end && !isUsed && used.every((version) => !version[b]));
          expect(countCommonFree(space.tm, index, kept, end)).toBe(free.length);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test('`findUsed` answers the first block in use, in any version', () => {
  const range = fc.tuple(fc.nat(33_000), fc.nat(80));
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 3 }),
      fc.array(range, { maxLength: 3 }),
      fc.nat(33_000),
      (was, is, begin) => {
        const nrBlocks = 33_000;
        const { map, freeze, space, index } = mapOf(nrBlocks);
        const used = (ranges: [number, number][]) => {
          const blocks = new Set<number>();
          for (const [from, length] of ranges)
            for (let b = from; b < Math.min(from + length, nrBlocks); b++) blocks.add(b);
          return blocks;
        };
        const [before, now] = [used(was), used(is)];
        for (const b of before) map.incRange(b, b + 1);
        const committed = freeze();
        for (const b of now) if (!before.has(b)) map.incRange(b, b + 1);
        for (const b of before) if (!now.has(b)) map.decRange(b, b + 1);
        const first = (blocks: Set<number>) => Math.min(...[...blocks].filter((b) => b >= begin));
        const wanted = (b: number) => (b === Number.POSITIVE_INFINITY ? -1 : b);
        const find = (kept: FrozenMap[]) => findUsed(space.tm, index, kept, begin, nrBlocks);
        expect(find([])).toBe(wanted(first(now)));
        expect(find([committed])).toBe(wanted(Math.min(first(now), first(before))));
        expect(space.blockManager.nrLocked).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test('`countCommonFree` counts over several bitmaps', () => {
  const { map, space, index } = mapOf(2 * ENTRIES_PER_BITMAP + 100);
  const count = () => countCommonFree(space.tm, index, [], map.nrBlocks);
  expect(count()).toBe(2 * ENTRIES_PER_BITMAP + 100);
  map.incRange(10, ENTRIES_PER_BITMAP + 20);
  map.setCount(2 * ENTRIES_PER_BITMAP + 99, 7);
  expect(count()).toBe(10 + ENTRIES_PER_BITMAP - 20 + 99);
  map.incRange(0, 10);
  expect([count(), space.blockManager.nrLocked]).toEqual([ENTRIES_PER_BITMAP - 20 + 99, 0]);
});
