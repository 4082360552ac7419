import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { StateError, type U64 } from '../base/index.ts';
import { Btree } from './btree.ts';
import { type NestedRangeOptions, range, rangeNested } from './range.ts';

const space = new ScratchSpace();
const flat = new Btree(space.tm, { valueType: patternType(8) });
let flatRoot = flat.empty();
for (let i = 1; i <= 1000; i++) flatRoot = flat.insert(flatRoot, 10 * i, i);

describe('`range()`', () => {
  test.each([
    [{}, 1, 1000],
    [{ begin: 0 }, 1, 1000],
    [{ begin: 20, end: 50 }, 2, 4],
    [{ begin: 21, end: 51 }, 3, 5],
    [{ begin: 50, end: 50 }, 5, 4],
    [{ begin: 70, end: 50 }, 7, 6],
    [{ end: 10 }, 1, 0],
    [{ begin: 9990, end: 2n ** 64n - 1n }, 999, 1000],
    [{ begin: 10001 }, 1001, 1000],
  ])('gives %o half-open, both ways', (bounds, first, last) => {
    const wanted = Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => [10 * (first + i), first + i]);
    expect([...range(flat, flatRoot, bounds)]).toEqual(wanted);
    expect([...range(flat, flatRoot, { ...bounds, reverse: true })]).toEqual(wanted.reverse());
  });

  test('refuses to go on after a change', () => {
    const entries = range(flat, flatRoot);
    entries.next();
    space.tm.inc(flatRoot);
    space.tm.dec(flatRoot);
    expect(() => entries.next()).toThrow(StateError);
  });

  test('can be left early', () => {
    for (const [key] of range(flat, flatRoot)) if (key === 500) break;
    expect(space.blockManager.nrLocked).toBe(0);
  });
});

const nested = new Btree(space.tm, { valueType: patternType(12), levels: 3 });
const all: (readonly [readonly U64[], number])[] = [];
let nestedRoot = nested.empty();
for (let a = 0; a < 5; a++) {
  for (let b = 0; b < 4; b++) {
    for (let c = 0; c < 3; c++) {
      nestedRoot = nested.insert(nestedRoot, [a, b, c], a * 100 + b * 10 + c);
      all.push([[a, b, c], a * 100 + b * 10 + c]);
    }
  }
}

/** Lists of keys in order, a prefix below what it begins. */
function compare(a: readonly U64[], b: readonly U64[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i], b[i]];
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? -1 : 1;
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

describe('`rangeNested()`', () => {
  const bounds = [
    [],
    [0],
    [1],
    [4],
    [5],
    [1, 2],
    [1, 4],
    [3, 0, 1],
    [3, 0],
    [3, 1, 3],
    [4, 3, 2],
    [4, 3, 3],
  ] as U64[][];
  test.each(bounds)('gives everything from %o on', (...begin) => {
    for (const end of [undefined, ...bounds]) {
      const options: NestedRangeOptions = end === undefined ? { begin } : { begin, end };
      const wanted = all.filter(([keys]) => compare(keys, begin) >= 0 && (!end || compare(keys, end) < 0));
      expect([...rangeNested(nested, nestedRoot, options)]).toEqual(wanted);
      expect([...rangeNested(nested, nestedRoot, { ...options, reverse: true })]).toEqual(wanted.toReversed());
    }
  });

  test('takes bigints for what entries show as numbers', () => {
    expect([...rangeNested(nested, nestedRoot, { begin: [1n, 2n], end: [1n, 3n] })]).toHaveLength(3);
  });

  test('is what `range()` is, level by level', () => {
    expect([...range(nested, nestedRoot, { above: [2, 1], begin: 1 })]).toEqual([
      [1, 211],
      [2, 212],
    ]);
    expect([...range(nested, nestedRoot, { above: [2, 9] })]).toEqual([]);
    expect(() => [...range(nested, nestedRoot, { above: [2] })]).toThrow(
      'Cannot use 1 upper keys: the tree has 3 levels',
    );
    expect(() => rangeNested(nested, nestedRoot, { end: [1, 2, 3, 4] })).toThrow('Cannot use 4 keys');
  });
});
