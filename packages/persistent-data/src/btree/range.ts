import { compareHalves, highHalf, joinKey, lowHalf, type U64 } from '../base/index.ts';
import type { Btree } from './btree.ts';
import { Cursor, type CursorOptions, type TreeKind } from './cursor.ts';
import type { Root } from './tree-context.ts';
import { blockReferenceType } from './value-type.ts';

export interface RangeOptions extends CursorOptions {
  /** The first key. Default: the smallest there is. */
  readonly begin?: U64;
  /** The key before which the range ends (half-open). Default: beyond the largest there is. */
  readonly end?: U64;
  /** In a tree of n levels: the n - 1 upper keys of the sub-tree. */
  readonly above?: readonly U64[];
  /** From the largest key to the smallest. Default false. */
  readonly reverse?: boolean;
}

/**
 * The entries of a tree of one level, or of one sub-tree, in key order. Reads one block per level and one per leaf; allocates one pair per
 * entry (for the fastest scan see {@link forEachEntry}).
 *
 * @throws {StateError} when the tree is changed between two entries (see {@link CursorOptions.frozen}).
 * @throws {TypeError} when `above` has not one key for each upper level.
 */
export function* range<V>(
  tree: Btree<V>,
  root: Root,
  options: RangeOptions = {},
): Generator<readonly [key: U64, value: V], undefined> {
  const { above = [], reverse = false } = options;
  const sub = subRoot(tree, root, above, options);
  if (sub !== undefined) yield* scan(tree, sub, options, reverse);
}

export interface NestedRangeOptions extends CursorOptions {
  /** The first keys, outermost first; fewer than the tree has levels stand for the smallest entry below them. */
  readonly begin?: readonly U64[];
  /** The keys before which the range ends; `[8]` ends before everything below 8. */
  readonly end?: readonly U64[];
  readonly reverse?: boolean;
}

/**
 * The entries of a tree of any number of levels, over all of them, in order of their lists of keys. Bounds are half-open and may be
 * prefixes: `{ begin: [7], end: [8] }` is everything below 7.
 *
 * @throws {StateError} when the tree is changed between two entries.
 */
export function rangeNested<V>(
  tree: Btree<V>,
  root: Root,
  options: NestedRangeOptions = {},
): Generator<readonly [keys: readonly U64[], value: V], undefined> {
  const { begin = [], end } = options;
  return scanLevel(tree, root, [], bound(tree.levels, begin), end && bound(tree.levels, end), options);
}

/** Keys in the form that entries have them, so that they compare by `===`. */
function bound(levels: number, keys: readonly U64[]): readonly U64[] {
  if (keys.length > levels) throw new TypeError(`Cannot use ${keys.length} keys: the tree has ${levels} levels`);
  return keys.map((key) => joinKey(highHalf(key), lowHalf(key)));
}

function subRoot<V>(tree: Btree<V>, root: Root, above: readonly U64[], options: CursorOptions): Root | undefined {
  if (above.length !== tree.levels - 1) {
    throw new TypeError(`Cannot use ${above.length} upper keys: the tree has ${tree.levels} levels`);
  }
  return above.length === 0 ? root : tree.subTree(root, above, options.reader ?? tree.tm);
}

/** One level, in either direction. */
function* scan<V>(
  tree: TreeKind<V>,
  root: Root,
  options: RangeOptions,
  reverse: boolean,
): Generator<readonly [key: U64, value: V], undefined> {
  const { begin, end } = options;
  const cursor = new Cursor(tree, root, options);
  if (reverse) {
    const beginHigh = begin === undefined ? 0 : highHalf(begin);
    const beginLow = begin === undefined ? 0 : lowHalf(begin);
    let more = end === undefined ? cursor.seekLast() : seekBelow(cursor, end);
    for (; more; more = cursor.previous()) {
      if (compareHalves(cursor.keyHigh, cursor.keyLow, beginHigh, beginLow) < 0) return;
      yield [cursor.key, cursor.value];
    }
    return;
  }
  const endHigh = end === undefined ? Number.POSITIVE_INFINITY : highHalf(end);
  const endLow = end === undefined ? 0 : lowHalf(end);
  let more = begin === undefined ? cursor.seekFirst() : cursor.seek(begin);
  for (; more; more = cursor.next()) {
    if (compareHalves(cursor.keyHigh, cursor.keyLow, endHigh, endLow) >= 0) return;
    yield [cursor.key, cursor.value];
  }
}

function seekBelow<V>(cursor: Cursor<V>, end: U64): boolean {
  if (!cursor.seekAtMost(end)) return false;
  return cursor.keyHigh === highHalf(end) && cursor.keyLow === lowHalf(end) ? cursor.previous() : true;
}

/** The level below `above`, and all below it. `begin` and `end` are what is left of the bounds here; none of `end` is no bound. */
function* scanLevel<V>(
  tree: Btree<V>,
  root: Root,
  above: readonly U64[],
  begin: readonly U64[],
  end: readonly U64[] | undefined,
  options: NestedRangeOptions,
): Generator<readonly [keys: readonly U64[], value: V], undefined> {
  const reverse = options.reverse ?? false;
  const [first] = begin;
  // An end without keys left is a prefix that is met exactly: everything here is at or beyond it.
  if (end !== undefined && end.length === 0) return;
  const last = end?.[0];
  const isBottom = above.length === tree.levels - 1;
  // The end's first key itself is in only where more of its keys follow.
  const lastIsIn = !isBottom && end !== undefined && end.length > 1;
  const { begin: _begin, end: _end, ...others } = options;
  const bounds: RangeOptions = {
    ...others,
    ...(first === undefined ? {} : { begin: first }),
    ...(last === undefined || lastIsIn ? {} : { end: last }),
  };
  if (isBottom) {
    for (const [key, value] of scan(tree, root, bounds, reverse)) yield [[...above, key], value];
    return;
  }
  const kind: TreeKind<Root> = { tm: tree.tm, valueType: blockReferenceType(tree.tm) };
  for (const [key, sub] of scan(kind, root, bounds, reverse)) {
    if (lastIsIn && key > last!) {
      if (reverse) continue;
      return;
    }
    const subBegin = key === first ? begin.slice(1) : [];
    const subEnd = lastIsIn && key === last ? end.slice(1) : undefined;
    yield* scanLevel(tree, sub, [...above, key], subBegin, subEnd, options);
  }
}
