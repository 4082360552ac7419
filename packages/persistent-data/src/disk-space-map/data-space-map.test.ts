import { describe, expect, test } from 'vitest';
import { SpaceMapFixture } from '../../../../test/structures/space-map-fixture.ts';
import { CorruptionError, NoSpaceError } from '../base/index.ts';
import { ENTRIES_PER_BITMAP } from '../format/index.ts';
import { DataSpaceMap } from './data-space-map.ts';

function mapOf(nrDataBlocks: number, nrBlocks = 1024) {
  const fixture = new SpaceMapFixture({ nrBlocks, nrDataBlocks });
  return { fixture, map: () => fixture.dataMap };
}

const take = (map: DataSpaceMap, count: number): number[] => Array.from({ length: count }, () => map.newBlock());

describe('allocation', () => {
  test('rises through the space and wraps at its end', () => {
    const { fixture, map } = mapOf(10);
    expect(take(map(), 4)).toEqual([0, 1, 2, 3]);
    fixture.commit();
    map().decRange(1, 3);
    fixture.commit();
    // The cursor is not reset by a commit: 1 and 2 come round only after the end.
    expect(take(map(), 8)).toEqual([4, 5, 6, 7, 8, 9, 1, 2]);
    expect(() => map().newBlock()).toThrow(NoSpaceError);
    fixture.check(false);
  });

  test('begins at 0 again after opening', () => {
    const { fixture, map } = mapOf(10);
    take(map(), 4);
    map().decRange(1, 2);
    fixture.commit();
    fixture.rollback();
    expect(take(map(), 3)).toEqual([1, 4, 5]);
  });

  test('never hands out a block that the last commit uses, and says what a commit will bring', () => {
    const { fixture, map } = mapOf(4);
    take(map(), 4);
    fixture.commit();
    map().decRange(1, 3);
    let error: unknown;
    try {
      map().newBlock();
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: 'PDATA_NO_SPACE', space: 'data' });
    expect(String(error)).toContain('Cannot allocate a data block: none of 4 is free, 2 will be after a commit');
    // Refused before anything was changed: the commit that helps is possible.
    fixture.commit();
    expect(take(map(), 2)).toEqual([1, 2]);
  });

  test('of a block allocated and freed in one transaction waits for the cursor to come round', () => {
    const { map } = mapOf(4);
    const b = map().newBlock();
    map().decRange(b, b + 1);
    expect(take(map(), 4)).toEqual([1, 2, 3, 0]);
  });

  test('reaches the very last block of 16320 * k (R19)', () => {
    for (const k of [1, 2]) {
      const { fixture, map } = mapOf(k * ENTRIES_PER_BITMAP);
      map().incRange(0, k * ENTRIES_PER_BITMAP - 1);
      expect(map().newBlock()).toBe(k * ENTRIES_PER_BITMAP - 1);
      expect(() => map().newBlock()).toThrow(NoSpaceError);
      fixture.commit();
      fixture.check(true);
    }
  });
});

describe('accounting', () => {
  test('`nrFree` is net of what was freed and allocated since the commit (R18)', () => {
    const { fixture, map } = mapOf(100);
    const free = () => map().nrFree;
    expect(free()).toBe(100);
    take(map(), 10);
    expect(free()).toBe(90);
    fixture.commit();
    expect(free()).toBe(90);
    map().decRange(0, 5);
    expect(free()).toBe(95);
    take(map(), 2);
    expect(free()).toBe(93);
    // A second reference, and its end, are no allocation.
    map().incRange(5, 8);
    map().decRange(5, 8);
    expect(free()).toBe(93);
    map().setCount(50, 7);
    map().setCount(51, 0);
    expect(free()).toBe(92);
    map().setCount(50, 0);
    expect(free()).toBe(93);
    fixture.commit();
    expect([free(), map().root.nrAllocated]).toEqual([93, 7]);
    map().decRange(10, 12);
    fixture.rollback();
    expect(free()).toBe(93);
    fixture.check(true);
  });

  test('counts and questions about them', () => {
    const { map } = mapOf(100);
    map().setCount(1, 1);
    map().setCount(2, 2);
    map().setCount(3, 3);
    map().setCount(4, 2 ** 32 - 1);
    expect([0, 1, 2, 3, 4].map((b) => [map().getCount(b), map().countIsMoreThanOne(b)])).toEqual([
      [0, false],
      [1, false],
      [2, true],
      [3, true],
      [2 ** 32 - 1, true],
    ]);
  });
});

describe('growing', () => {
  test('counts after the commit, and can be allocated from at once', () => {
    const { fixture, map } = mapOf(4);
    take(map(), 4);
    map().extend(3);
    expect([map().nrBlocks, map().nrBlocksUncommitted]).toEqual([4, 7]);
    expect(take(map(), 3)).toEqual([4, 5, 6]);
    expect(() => map().newBlock()).toThrow(NoSpaceError);
    fixture.commit();
    expect([map().nrBlocks, map().nrFree]).toEqual([7, 0]);
    fixture.check(true);
  });

  test('from nothing, to several bitmaps at once, and to more than the index holds back', () => {
    const { fixture, map } = mapOf(0);
    expect(() => map().newBlock()).toThrow(NoSpaceError);
    for (const nrBitmaps of [3, 70, 71]) {
      map().extend(nrBitmaps * ENTRIES_PER_BITMAP - map().nrBlocksUncommitted);
      fixture.check(false);
      fixture.commit();
      expect(map().nrBlocks).toBe(nrBitmaps * ENTRIES_PER_BITMAP);
    }
    map().setCount(71 * ENTRIES_PER_BITMAP - 1, 1);
    fixture.commit();
    fixture.check(true);
  });

  test('is undone by a rollback', () => {
    const { fixture, map } = mapOf(100);
    map().extend(100_000);
    fixture.rollback();
    expect([map().nrBlocks, map().nrBlocksUncommitted]).toEqual([100, 100]);
    fixture.check(true);
  });
});

describe('shrinking', () => {
  test('gives bitmaps back, and keeps the counts of the rest', () => {
    const { fixture, map } = mapOf(3 * ENTRIES_PER_BITMAP);
    map().incRange(0, 200);
    map().setCount(150, 9);
    fixture.commit();
    map().shrink(200);
    expect([map().nrBlocks, map().nrBlocksUncommitted]).toEqual([3 * ENTRIES_PER_BITMAP, 200]);
    expect(() => map().newBlock()).toThrow(NoSpaceError);
    fixture.check(false);
    fixture.commit();
    fixture.check(true);
    expect([map().nrBlocks, map().nrFree, map().getCount(150), map().getCount(199)]).toEqual([200, 0, 9, 1]);
    map().extend(20_000);
    expect(map().newBlock()).toBe(200);
    fixture.commit();
    fixture.check(true);
  });

  test('is refused while a block beyond is in use, now or in the last commit, and changes nothing', () => {
    const { fixture, map } = mapOf(20_000);
    map().setCount(18_000, 1);
    const text = 'Cannot shrink the data space to 10 blocks: block 18000 is in use';
    expect(() => map().shrink(10)).toThrow(new NoSpaceError(text, 'data'));
    expect(() => map().shrink(18_000)).toThrow(NoSpaceError);
    fixture.commit();
    map().setCount(18_000, 0);
    expect(() => map().shrink(10)).toThrow(NoSpaceError);
    map().shrink(18_001);
    fixture.commit();
    map().shrink(10);
    fixture.commit();
    fixture.check(true);
    expect(map().nrBlocks).toBe(10);
  });

  test('is refused while a kept version uses a block beyond', () => {
    const { fixture, map } = mapOf(100);
    map().setCount(90, 1);
    fixture.commit();
    const held = map().keepCommitted();
    map().setCount(90, 0);
    fixture.commit();
    expect(() => map().shrink(50)).toThrow(NoSpaceError);
    fixture.kept.data.release(held);
    map().shrink(50);
    fixture.commit();
    fixture.check(true);
  });

  test('takes the cursor along', () => {
    const { fixture, map } = mapOf(100);
    take(map(), 80);
    map().decRange(0, 80);
    fixture.commit();
    map().shrink(10);
    map().extend(5);
    expect(take(map(), 6)).toEqual([10, 11, 12, 13, 14, 0]);
    fixture.check(false);
  });

  test('of ten million blocks takes no time to speak of', () => {
    const { fixture, map } = mapOf(10_000_000, 4096);
    const begin = performance.now();
    map().shrink(1);
    expect(performance.now() - begin).toBeLessThan(5000);
    fixture.commit();
    fixture.check(true);
  });
});

test('a commit without changes writes nothing', () => {
  const { fixture, map } = mapOf(100);
  take(map(), 3);
  fixture.commit();
  const roots = [map().root, fixture.spaceMap.root];
  fixture.commit();
  expect([map().root, fixture.spaceMap.root]).toEqual(roots);
});

describe('a root that cannot be', () => {
  test.each([
    ['more allocated than there are', { nrAllocated: 101 }],
    ['a size beyond 2^53', { nrBlocks: 2 ** 60, nrAllocated: 0 }],
  ])('%s is refused', (_, change) => {
    const { fixture, map } = mapOf(100);
    expect(() => DataSpaceMap.open(fixture.tm, { ...map().root, ...change })).toThrow(CorruptionError);
  });

  test('a size that the index does not have is opened, and noticed in use', () => {
    const { fixture, map } = mapOf(100);
    map().incRange(0, 100);
    fixture.commit();
    const hostile = DataSpaceMap.open(fixture.tm, { ...map().root, nrBlocks: 2 ** 52 });
    expect(hostile.getCount(5)).toBe(1);
    expect(() => hostile.getCount(2 ** 50)).toThrow(CorruptionError);
    expect(hostile.newBlock()).toBe(100);
    expect(() => hostile.shrink(2 ** 40)).toThrow(CorruptionError);
  });
});

test('tells what was in use in a version that is held and is free at the last commit', () => {
  const nrBlocks = 2 * ENTRIES_PER_BITMAP + 100;
  const { fixture, map } = mapOf(nrBlocks);
  map().incRange(0, nrBlocks);
  map().incRange(30, 40);
  fixture.commit();
  const version = map().keepCommitted();
  map().decRange(5, 50);
  map().decRange(ENTRIES_PER_BITMAP - 2, ENTRIES_PER_BITMAP + 1);
  map().decRange(nrBlocks - 1, nrBlocks);
  const freed: [number, number][] = [];
  map().forEachFreedSince(version, (begin, end) => freed.push([begin, end]));
  expect(freed).toEqual([]);
  fixture.commit();
  map().forEachFreedSince(version, (begin, end) => freed.push([begin, end]));
  expect(freed).toEqual([
    [5, 30],
    [40, 50],
    [ENTRIES_PER_BITMAP - 2, ENTRIES_PER_BITMAP + 1],
    [nrBlocks - 1, nrBlocks],
  ]);
});
