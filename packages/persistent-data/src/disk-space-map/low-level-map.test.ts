import { describe, expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { AssertionError, CorruptionError, StateError } from '../base/index.ts';
import { Btree, PLAIN_U32 } from '../btree/index.ts';
import { BITMAP_VALIDATOR, ENTRIES_PER_BITMAP, setBitmapCount } from '../format/index.ts';
import { emptyIndexEntry } from './bitmap-index.ts';
import { DataIndex } from './data-index.ts';
import { LowLevelMap } from './low-level-map.ts';

const MAX = 2 ** 32 - 1;

function mapOf(nrBlocks: number) {
  const space = new ScratchSpace();
  const index = new DataIndex(space.tm);
  index.create();
  const map = new LowLevelMap(space.tm, index);
  map.create();
  map.extend(nrBlocks);
  const tree = new Btree(space.tm, { valueType: PLAIN_U32 });
  const entry = (bitmap: number) => {
    const found = emptyIndexEntry();
    index.load(bitmap, found);
    return found;
  };
  return {
    space,
    index,
    map,
    entry,
    /** The count in the reference-count tree, if there is one. */
    inTree: (b: number) => tree.lookup(map.refCountRoot, b),
    /** Changes a bitmap field or the tree behind the map's back. */
    setField: (b: number, field: number) => {
      const base = space.blockManager.writeLock(entry(Math.floor(b / ENTRIES_PER_BITMAP)).blocknr, BITMAP_VALIDATOR);
      setBitmapCount(space.blockManager.slab.words, base, b % ENTRIES_PER_BITMAP, field);
      space.blockManager.unlock(base);
    },
    setInTree: (b: number, count: number) => {
      map.refCountRoot = tree.insert(map.refCountRoot, b, count);
    },
  };
}

describe('a count', () => {
  test('rises and falls one by one; from 3 on it is in the tree, and only then', () => {
    const { map, inTree } = mapOf(100);
    const counts = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1];
    for (const [step, count] of counts.entries()) {
      if (step > 0) {
        const before = counts[step - 1]!;
        const delta = count > before ? map.incRange(42, 43) : map.decRange(42, 43);
        expect(delta).toBe(Number(count > 0) - Number(before > 0));
      }
      expect([map.count(42), map.countField(42), inTree(42), map.nrAllocated]).toEqual([
        count,
        Math.min(count, 3),
        count >= 3 ? count : undefined,
        Number(count > 0),
      ]);
    }
    expect([map.count(41), map.count(43)]).toEqual([0, 0]);
  });

  test('is set from anything to anything', () => {
    const { map, inTree } = mapOf(100);
    const values = [0, 1, 2, 3, 4, 1000, MAX];
    for (const from of values) {
      for (const to of values) {
        map.setCount(7, from);
        expect(map.setCount(7, to)).toBe(Number(to > 0) - Number(from > 0));
        expect([map.count(7), inTree(7), map.nrAllocated]).toEqual([to, to >= 3 ? to : undefined, Number(to > 0)]);
      }
    }
  });

  test('is at most 2^32 - 1, and comes down from there', () => {
    const { map } = mapOf(100);
    map.setCount(7, MAX - 1);
    map.incRange(7, 8);
    expect(map.count(7)).toBe(MAX);
    map.decRange(7, 8);
    expect(map.count(7)).toBe(MAX - 1);
    map.setCount(7, MAX);
    expect(() => map.incRange(7, 8)).toThrow(
      'Cannot count block 7: its entry in the reference-count tree is 4294967295',
    );
    const other = mapOf(100).map;
    for (const count of [-1, 1.5, MAX + 1, Number.NaN]) {
      expect(() => other.setCount(7, count)).toThrow(
        new RangeError(`Cannot set the count of block 7 to ${count}: 0 to ${MAX} is possible`),
      );
    }
  });

  test('of a range is changed over the borders of bitmaps, empty ranges are nothing', () => {
    const { map } = mapOf(3 * ENTRIES_PER_BITMAP);
    const [begin, end] = [ENTRIES_PER_BITMAP - 5, 2 * ENTRIES_PER_BITMAP + 5];
    for (const count of [1, 2, 3, 4]) {
      expect(map.incRange(begin, end)).toBe(count === 1 ? end - begin : 0);
      expect([begin - 1, begin, ENTRIES_PER_BITMAP, end - 1, end].map((b) => map.count(b))).toEqual([
        0,
        count,
        count,
        count,
        0,
      ]);
      if (count === 1) map.incRange(begin + 1, begin + 1);
    }
    // Only a part, so that the tree keeps the others.
    for (let i = 0; i < 4; i++) map.decRange(begin + 1, end - 1);
    expect([begin, begin + 1, end - 2, end - 1].map((b) => map.count(b))).toEqual([4, 0, 0, 4]);
    expect(map.nrAllocated).toBe(2);
  });
});

describe('what is wrong is a `CorruptionError`, and the transaction is broken', () => {
  test('a decrement of 0', () => {
    const { map, space } = mapOf(100);
    map.incRange(4, 6);
    let error: unknown;
    try {
      map.decRange(4, 8);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: 'PDATA_CORRUPT', block: 6, field: 'count', found: 0 });
    expect(String(error)).toContain('Cannot decrement the count of block 6: it is 0');
    expect(space.tm.broken).toBe(error);
    expect(() => map.incRange(1, 2)).toThrow(StateError);
  });

  test('a block outside the space, before anything is changed', () => {
    const { map, space } = mapOf(100);
    for (const use of [
      () => map.count(100),
      () => map.countField(-1),
      () => map.incRange(99, 101),
      () => map.decRange(100, 101),
      () => map.setCount(1e9, 1),
    ]) {
      expect(use).toThrow(/^Cannot count block -?\d+: the space has 100 blocks$/);
    }
    expect([map.nrAllocated, space.tm.broken]).toEqual([0, undefined]);
  });

  test.each([
    ['missing', undefined],
    ['2', 2],
    ['0', 0],
  ])('a field that says overflow, with an entry in the tree that is %s', (shown, count) => {
    const text = `Cannot count block 7: its entry in the reference-count tree is ${shown}, 3 or more is wanted`;
    for (const use of ['decRange', 'incRange', 'count'] as const) {
      const { map, setField, setInTree, space } = mapOf(100);
      map.incRange(7, 8);
      setField(7, 3);
      if (count !== undefined) setInTree(7, count);
      if (use === 'count') {
        // A look-up answers what the tree says; that there is nothing it can't hide.
        if (count === undefined) expect(() => map.count(7)).toThrow(text);
        continue;
      }
      if (use === 'incRange' && count === 2) continue;
      expect(() => map[use](7, 8)).toThrow(text);
      expect(space.tm.broken).toBeInstanceOf(CorruptionError);
    }
  });
});

describe('the index', () => {
  test('knows how many entries of a bitmap are free, and below which none is', () => {
    const { map, entry } = mapOf(100);
    expect(entry(0)).toMatchObject({ nrFree: ENTRIES_PER_BITMAP, noneFreeBefore: 0 });
    map.incRange(1, 3);
    // Entry 0 is free: the hint stays.
    expect(entry(0)).toMatchObject({ nrFree: ENTRIES_PER_BITMAP - 2, noneFreeBefore: 0 });
    map.incRange(0, 1);
    // A bound that is right, not the best there is.
    expect(entry(0)).toMatchObject({ nrFree: ENTRIES_PER_BITMAP - 3, noneFreeBefore: 1 });
    map.incRange(0, 3);
    expect(entry(0)).toMatchObject({ nrFree: ENTRIES_PER_BITMAP - 3, noneFreeBefore: 1 });
    map.decRange(0, 1);
    expect(entry(0)).toMatchObject({ nrFree: ENTRIES_PER_BITMAP - 3, noneFreeBefore: 1 });
    map.decRange(0, 1);
    expect(entry(0)).toMatchObject({ nrFree: ENTRIES_PER_BITMAP - 2, noneFreeBefore: 0 });
  });

  test('that says nothing is free, wrongly, does not wrap around', () => {
    const { map, index, entry } = mapOf(100);
    index.save(0, { ...entry(0), nrFree: 0 });
    map.incRange(5, 6);
    expect(entry(0).nrFree).toBe(0);
  });

  test('leads to the shadow of a bitmap', () => {
    const { map, space, entry } = mapOf(100);
    space.commit();
    const before = entry(0).blocknr;
    map.incRange(5, 6);
    const after = entry(0).blocknr;
    expect(after).not.toBe(before);
    map.incRange(6, 7);
    expect(entry(0).blocknr).toBe(after);
    expect([space.spaceMap.getCount(before), space.spaceMap.getCount(after)]).toEqual([0, 1]);
  });
});

describe('growing and shrinking', () => {
  test('a partly used last bitmap serves on, further ones are new', () => {
    const { map, space } = mapOf(10);
    const before = space.spaceMap.nrFree;
    map.extend(ENTRIES_PER_BITMAP - 10);
    expect([map.nrBitmaps, space.spaceMap.nrFree]).toEqual([1, before]);
    map.extend(1);
    expect([map.nrBitmaps, map.nrBlocks, space.spaceMap.nrFree]).toEqual([2, ENTRIES_PER_BITMAP + 1, before - 1]);
    map.incRange(ENTRIES_PER_BITMAP, ENTRIES_PER_BITMAP + 1);
    expect(map.count(ENTRIES_PER_BITMAP)).toBe(1);
  });

  test('shrinking frees the bitmaps that describe nothing', () => {
    const { map, space, index } = mapOf(3 * ENTRIES_PER_BITMAP);
    index.commit();
    space.commit();
    const before = space.spaceMap.nrFree;
    map.shrink(ENTRIES_PER_BITMAP + 1);
    expect([map.nrBitmaps, map.nrBlocks]).toEqual([2, ENTRIES_PER_BITMAP + 1]);
    map.shrink(ENTRIES_PER_BITMAP);
    map.shrink(100);
    expect(map.nrBitmaps).toBe(1);
    expect(space.spaceMap.nrFree).toBe(before + 2);
    expect(() => map.count(100)).toThrow(CorruptionError);
    map.extend(ENTRIES_PER_BITMAP);
    map.incRange(ENTRIES_PER_BITMAP, ENTRIES_PER_BITMAP + 1);
    expect(map.nrBitmaps).toBe(2);
  });

  test('shrinking to more is an assertion', () => {
    expect(() => mapOf(10).map.shrink(11)).toThrow(new AssertionError('a map shrinks'));
  });
});

test('a map opened by its root says what it said', () => {
  const { map, index, space } = mapOf(20_000);
  map.incRange(100, 200);
  map.setCount(150, 7);
  index.commit();
  const { root } = map;
  expect(root).toMatchObject({ nrBlocks: 20_000, nrAllocated: 100 });
  const again = new DataIndex(space.tm);
  again.open(root.bitmapRoot);
  const other = new LowLevelMap(space.tm, again);
  other.open(root);
  expect([other.count(99), other.count(100), other.count(150), other.nrAllocated]).toEqual([0, 1, 7, 100]);
});
