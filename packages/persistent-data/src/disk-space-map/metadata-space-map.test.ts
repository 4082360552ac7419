import { describe, expect, test, vi } from 'vitest';
import { SpaceMapFixture } from '../../../../test/structures/space-map-fixture.ts';
import { AssertionError, NoSpaceError } from '../base/index.ts';
import { ENTRIES_PER_BITMAP, MAX_METADATA_BLOCKS } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';

const fixtureOf = (nrBlocks: number, cacheBlocks = 256) => new SpaceMapFixture({ nrBlocks, cacheBlocks });

/** Allocates until nothing is left. Answers how many it got. */
function fill(fixture: SpaceMapFixture): number {
  for (let count = 0; ; count++) {
    try {
      fixture.allocate();
    } catch (error) {
      expect(error).toBeInstanceOf(NoSpaceError);
      return count;
    }
  }
}

/** Fills the space but for what a commit needs, and commits. */
function fillAndCommit(fixture: SpaceMapFixture): void {
  // A commit shadows the index block, and the first change of the next transaction a bitmap.
  while (fixture.spaceMap.nrFree > 2) fixture.allocate();
  fixture.commit();
}

function inc(fixture: SpaceMapFixture, b: number, delta: 1 | -1 = 1): void {
  if (delta > 0) fixture.spaceMap.incRange(b, b + 1);
  else fixture.spaceMap.decRange(b, b + 1);
  fixture.addOwned(b, delta);
}

describe('recursion', () => {
  test('to count a block moves the bitmap, which is counted too', () => {
    const fixture = fixtureOf(64);
    const { spaceMap } = fixture;
    const before = spaceMap.root.nrAllocated;
    const mine = fixture.allocate();
    // Mine, and the bitmap's shadow for its original, which is free now.
    expect(spaceMap.root.nrAllocated).toBe(before + 1);
    expect([mine, spaceMap.getCount(mine), spaceMap.getCount(mine + 1), spaceMap.getCount(3)]).toEqual([4, 1, 1, 0]);
    fixture.check(false);
    // Only once in a transaction.
    expect([fixture.allocate(), fixture.allocate()]).toEqual([6, 7]);
    fixture.check(false);
    fixture.commit();
    fixture.check(true);
  });

  test('of large counts: the tree allocates while the bitmap that it is for is being changed', () => {
    const fixture = fixtureOf(2048);
    const blocks = Array.from({ length: 700 }, () => fixture.allocate());
    for (let count = 2; count <= 4; count++) {
      // Backward and interleaved, so that the tree splits in many places.
      for (const b of [...blocks].reverse()) inc(fixture, b);
      fixture.check(false);
    }
    fixture.commit();
    fixture.check(true);
    for (let count = 3; count >= 0; count--) {
      for (const b of blocks) inc(fixture, b, -1);
      fixture.check(false);
      if (count % 2 === 0) fixture.commit();
    }
    fixture.commit();
    fixture.check(true);
    expect([fixture.owned.size, fixture.spaceMap.root.nrAllocated]).toEqual([0, 4]);
  });

  test('over several bitmaps at once', () => {
    const fixture = fixtureOf(3 * ENTRIES_PER_BITMAP);
    const border = ENTRIES_PER_BITMAP;
    fixture.spaceMap.incRange(border - 50, border + 50);
    for (let b = border - 50; b < border + 50; b++) fixture.addOwned(b, 1);
    fixture.check(false);
    fixture.commit();
    for (let round = 0; round < 3; round++) {
      fixture.spaceMap.incRange(border - 50, border + 50);
      for (let b = border - 50; b < border + 50; b++) fixture.addOwned(b, 1);
      fixture.check(false);
      fixture.commit();
      fixture.check(true);
    }
  });

  test('a question about a count never errs towards free or unshared, at any moment (R8, R10)', () => {
    const fixture = fixtureOf(2048);
    const { tm, spaceMap } = fixture;
    /** Blocks that somebody relies on, with the least that their count may be said to be. */
    const alive = new Map<number, number>();
    let changing = -1;
    let asked = 0;
    tm.trace = (event) => {
      if (event.event !== 'shadow' && event.event !== 'new') return;
      alive.set(event.event === 'new' ? event.block : event.to, 1);
      if (event.event === 'shadow') alive.delete(event.from);
      for (const [b, count] of alive) {
        if (b === changing) continue;
        asked++;
        const wrong = count > 1 ? !spaceMap.countIsMoreThanOne(b) : spaceMap.getCount(b) < 1;
        if (wrong) throw new Error(`block ${b} has ${count} references, the map says ${spaceMap.getCount(b)}`);
      }
    };
    for (let i = 0; i < 400; i++) {
      changing = fixture.allocate();
      alive.set(changing, 1);
      for (let count = 2; count <= i % 7; count++) {
        inc(fixture, changing);
        alive.set(changing, count);
      }
      changing = -1;
      if (i % 50 === 49) {
        fixture.check(false);
        fixture.commit();
        fixture.check(true);
      }
    }
    expect(asked).toBeGreaterThan(4000);
  });

  test('a count is not set while the map changes itself', () => {
    const fixture = fixtureOf(64);
    const { spaceMap, tm } = fixture;
    tm.trace = () => spaceMap.setCount(20, 5);
    expect(() => spaceMap.incRange(10, 11)).toThrow(
      new AssertionError('a count is not set while the map changes itself'),
    );
    const other = fixtureOf(64);
    other.tm.trace = () => other.spaceMap.extend(5);
    expect(() => other.spaceMap.incRange(10, 11)).toThrow(
      new AssertionError('a map is not extended while it changes itself'),
    );
  });
});

describe('allocation', () => {
  test('rises to the end of the device, then wraps, and never hands out what the last commit uses', () => {
    const fixture = fixtureOf(64);
    const order: number[] = [];
    for (let round = 0; round < 60; round++) {
      const b = fixture.allocate();
      order.push(b);
      fixture.commit();
      const used = new Set([...fixture.owned.keys(), fixture.spaceMap.root.bitmapRoot]);
      inc(fixture, b, -1);
      // The tracer sees each block that is handed out until the next commit.
      fixture.tm.trace = (event) => {
        if (event.event === 'shadow') expect(used.has(event.to)).toBe(false);
      };
      fixture.check(false);
      fixture.commit();
      fixture.check(true);
    }
    expect(Math.max(...order)).toBeLessThan(64);
    expect(order.some((b, i) => i > 0 && b < order[i - 1]!)).toBe(true);
  });

  test('until nothing is left hands out each block once', () => {
    for (const nrBlocks of [8, 16, 33, 64, 100, 257]) {
      const fixture = fixtureOf(nrBlocks);
      const count = fill(fixture);
      expect(fixture.owned.size).toBe(count);
      // All but the map's own three, the superblock, and the bitmap's committed place.
      expect(count).toBe(nrBlocks - 5);
      expect(fixture.spaceMap.nrFree).toBe(0);
    }
  });

  test('from a full space is refused, until a commit brings back what was freed (R27)', () => {
    const fixture = fixtureOf(64);
    while (fixture.spaceMap.nrFree > 4) fixture.allocate();
    fixture.commit();
    for (const b of [...fixture.owned.keys()].slice(0, 10)) inc(fixture, b, -1);
    while (fixture.spaceMap.nrFree > 1) fixture.allocate();
    fixture.check(false);
    // One block is left, for the index block: the commit is possible, and helps.
    fixture.commit();
    fixture.check(true);
    expect(fixture.spaceMap.nrFree).toBeGreaterThanOrEqual(10);
    fixture.allocate();
    fixture.check(false);
  });

  test('`nrFree` does not count what was freed in this transaction', () => {
    const fixture = fixtureOf(64);
    const b = fixture.allocate();
    fixture.commit();
    const before = fixture.spaceMap.nrFree;
    inc(fixture, b, -1);
    // The bitmap's shadow was taken; its original and mine are not back yet.
    expect(fixture.spaceMap.nrFree).toBe(before - 1);
    fixture.commit();
    expect(fixture.spaceMap.nrFree).toBe(before + 1);
  });
});

describe('`nrFree` says no more than can be had', () => {
  function allocatable(fixture: SpaceMapFixture): void {
    let { nrFree } = fixture.spaceMap;
    // The bitmap's own copy takes one block as well.
    for (; nrFree > 1; nrFree = fixture.spaceMap.nrFree) fixture.allocate();
    fixture.check(false);
  }

  test('while a version is kept', () => {
    const fixture = fixtureOf(64);
    const mine = Array.from({ length: 20 }, () => fixture.allocate());
    fixture.commit();
    const held = fixture.spaceMap.keepCommitted();
    for (const b of mine) inc(fixture, b, -1);
    fixture.commit();
    const before = fixture.spaceMap.nrFree;
    expect(before).toBeLessThan(40);
    fixture.allocate();
    expect(fixture.spaceMap.nrFree).toBe(before - 2);
    allocatable(fixture);
    fixture.rollback();
    fixture.kept.metadata.release(held);
    fixture.kept.metadata.release(held);
    expect(fixture.spaceMap.nrFree).toBeGreaterThanOrEqual(before + 20);
    allocatable(fixture);
  });

  test('after shrinking, before the commit', () => {
    const fixture = fixtureOf(1000);
    fixture.spaceMap.shrink(50);
    expect(fixture.spaceMap.nrFree).toBeLessThan(50);
    allocatable(fixture);
  });
});

describe('growing', () => {
  test.each([
    ['a few blocks', 100, 150],
    ['up to the end of the bitmap', 100, ENTRIES_PER_BITMAP],
    ['into a second bitmap', 100, ENTRIES_PER_BITMAP + 10],
    ['by several bitmaps at once (R5)', 100, 5 * ENTRIES_PER_BITMAP + 7],
    ['from the end of a bitmap', ENTRIES_PER_BITMAP, 3 * ENTRIES_PER_BITMAP],
  ])('%s', (_, from, to) => {
    const device = new MemoryDevice({ nrBlocks: to });
    const fixture = new SpaceMapFixture({ nrBlocks: from, device });
    const mine = fixture.allocate();
    inc(fixture, mine);
    inc(fixture, mine);
    fixture.commit();
    fixture.spaceMap.extend(to - from);
    fixture.check(false);
    fixture.commit();
    fixture.check(true);
    expect([fixture.spaceMap.nrBlocks, fixture.spaceMap.getCount(mine)]).toEqual([to, 3]);
    // From now on blocks come from the new space.
    expect(fixture.allocate()).toBeGreaterThanOrEqual(from);
    fixture.commit();
    fixture.check(true);
    fixture.rollback();
    fixture.check(true);
  });

  test('of a device without a free block takes all it needs from the new space (R5, R7)', () => {
    for (const extra of [20, 2 * ENTRIES_PER_BITMAP]) {
      const device = new MemoryDevice({ nrBlocks: 64 + extra });
      const fixture = new SpaceMapFixture({ nrBlocks: 64, device });
      fillAndCommit(fixture);
      fill(fixture);
      expect(() => fixture.allocate()).toThrow(NoSpaceError);
      // The transaction that ran into it is broken; the owner rolls back, then grows.
      fixture.rollback();
      expect(fixture.spaceMap.nrFree).toBeLessThanOrEqual(4);
      fixture.spaceMap.extend(extra);
      fixture.check(false);
      fixture.commit();
      fixture.check(true);
      while (fixture.spaceMap.nrFree > 2) fixture.allocate();
      fixture.commit();
      fixture.check(true);
      expect(fixture.owned.size).toBeGreaterThan(extra);
    }
  });

  test('again and again leaks nothing (R7)', () => {
    const device = new MemoryDevice({ nrBlocks: 200_000 });
    const fixture = new SpaceMapFixture({ nrBlocks: 64, device, cacheBlocks: 64 });
    for (const extra of [1, 10, 16_000, 300, 17_000, 50_000, 8]) {
      fixture.allocate();
      fixture.spaceMap.extend(extra);
      fixture.check(false);
      inc(fixture, [...fixture.owned.keys()][0]!);
      fixture.commit();
      fixture.check(true);
    }
  });

  test('by nothing changes nothing, beyond 255 bitmaps is refused', () => {
    const fixture = fixtureOf(64);
    const { root } = fixture.spaceMap;
    fixture.spaceMap.extend(0);
    expect(fixture.spaceMap.root).toEqual(root);
    expect(() => fixture.spaceMap.extend(MAX_METADATA_BLOCKS)).toThrow(
      new RangeError(
        `Cannot extend the space map to ${64 + MAX_METADATA_BLOCKS} blocks: at most ${MAX_METADATA_BLOCKS} are possible`,
      ),
    );
    fixture.check(true);
  });

  test('by too little for its own records is a `NoSpaceError`, and the last commit stands', () => {
    const device = new MemoryDevice({ nrBlocks: 100_000 });
    const fixture = new SpaceMapFixture({ nrBlocks: ENTRIES_PER_BITMAP, device });
    const mine = fixture.allocate();
    fixture.commit();
    expect(() => fixture.spaceMap.extend(1)).toThrow('the device of 16321 blocks is too small');
    fixture.rollback();
    fixture.check(true);
    fixture.spaceMap.extend(5);
    fixture.commit();
    fixture.check(true);
    expect(fixture.spaceMap.getCount(mine)).toBe(1);
  });
});

describe('shrinking', () => {
  test('at a free tail keeps the rest, within a bitmap and over several', () => {
    for (const [from, to] of [
      [1000, 100],
      [3 * ENTRIES_PER_BITMAP, 100],
      [3 * ENTRIES_PER_BITMAP, 2 * ENTRIES_PER_BITMAP],
    ] as const) {
      const fixture = fixtureOf(from);
      const mine = fixture.allocate();
      fixture.commit();
      fixture.spaceMap.shrink(to);
      fixture.check(false);
      fixture.commit();
      fixture.check(true);
      expect([fixture.spaceMap.nrBlocks, fixture.spaceMap.getCount(mine)]).toEqual([to, 1]);
      fill(fixture);
      expect(Math.max(...fixture.owned.keys())).toBeLessThan(to);
      fixture.rollback();
      fixture.spaceMap.extend(from - to);
      fixture.commit();
      fixture.check(true);
    }
  });

  test('is refused while something beyond is in use, now, in the last commit, or in a kept version', () => {
    const fixture = fixtureOf(1000);
    fixture.spaceMap.incRange(500, 501);
    fixture.addOwned(500, 1);
    const text = 'Cannot shrink the metadata space to 400 blocks: block 500 is in use';
    expect(() => fixture.spaceMap.shrink(400)).toThrow(new NoSpaceError(text, 'metadata'));
    fixture.commit();
    const held = fixture.spaceMap.keepCommitted();
    inc(fixture, 500, -1);
    expect(() => fixture.spaceMap.shrink(400)).toThrow(text);
    fixture.commit();
    expect(() => fixture.spaceMap.shrink(400)).toThrow(text);
    fixture.kept.metadata.release(held);
    fixture.spaceMap.shrink(400);
    fixture.commit();
    fixture.check(true);
  });

  test('is undone by a rollback', () => {
    const fixture = fixtureOf(2 * ENTRIES_PER_BITMAP);
    fixture.spaceMap.shrink(100);
    fixture.rollback();
    expect(fixture.spaceMap.nrBlocks).toBe(2 * ENTRIES_PER_BITMAP);
    fixture.check(true);
  });
});

describe('the threshold', () => {
  test('fires when an allocation brings the free blocks down to it, once until they rise above (R24)', () => {
    const fixture = fixtureOf(64);
    const { spaceMap } = fixture;
    const fired: number[] = [];
    spaceMap.registerThreshold(40, () => fired.push(spaceMap.nrFree));
    while (spaceMap.nrFree > 30) fixture.allocate();
    expect(fired).toEqual([40]);
    fixture.commit();
    for (const b of [...fixture.owned.keys()]) inc(fixture, b, -1);
    fixture.commit();
    expect([spaceMap.nrFree > 40, fired]).toEqual([true, [40]]);
    fixture.allocate();
    expect(fired).toEqual([40]);
    while (spaceMap.nrFree > 30) fixture.allocate();
    expect(fired).toEqual([40, 40]);
  });

  test('fires at the first allocation where there is as little already, not at the registration', () => {
    const fixture = fixtureOf(64);
    const callback = vi.fn();
    fixture.spaceMap.registerThreshold(1000, callback);
    expect(callback).not.toHaveBeenCalled();
    fixture.allocate();
    fixture.allocate();
    expect(callback).toHaveBeenCalledTimes(1);
    // A new registration counts anew, and replaces the old one.
    const other = vi.fn();
    fixture.spaceMap.registerThreshold(1000, other);
    fixture.allocate();
    expect([callback.mock.calls.length, other.mock.calls.length]).toEqual([1, 1]);
  });
});

test.each([
  [64, 6],
  [100, 10],
  [1009, 100],
  [60_000, 4096],
])('the reserve of %i blocks is %i, and not free for work', (nrBlocks, reserve) => {
  const { spaceMap } = fixtureOf(nrBlocks);
  expect(spaceMap.reserve).toBe(reserve);
  expect(spaceMap.nrFreeForWork).toBe(spaceMap.nrFree - reserve);
});

test('a commit without changes allocates nothing', () => {
  const fixture = fixtureOf(64);
  fixture.allocate();
  fixture.commit();
  const { root } = fixture.spaceMap;
  for (let i = 0; i < 3; i++) fixture.commit();
  expect(fixture.spaceMap.root).toEqual(root);
  fixture.check(true);
});

test('counts go from 0 to 2^32 - 1 and back, over commits', () => {
  const fixture = fixtureOf(64);
  for (const count of [1, 2, 3, 4, 2 ** 32 - 1, 3, 2, 5, 1, 0]) {
    const { spaceMap } = fixture;
    spaceMap.setCount(20, count);
    expect([spaceMap.getCount(20), spaceMap.countIsMoreThanOne(20)]).toEqual([count, count > 1]);
    fixture.commit();
    fixture.rollback();
    expect(fixture.spaceMap.getCount(20)).toBe(count);
  }
  fixture.check(true);
});
