import type { U64 } from '../base/index.ts';
import { range } from '../btree/index.ts';
import type { RawTree } from './raw-tree.ts';

/** Keys taken at a time: enough to make seeking cheap, few enough to keep them in memory. */
const BATCH = 1024;

/**
 * Removes the entries of a tree from `begin` up to `end`, not included. Bounds may be prefixes: `[7]` to `[8]` is everything below 7; an
 * empty `begin` is the beginning, no `end` is the end. Answers how many entries that was.
 */
export function removeTreeRange(raw: RawTree, begin: readonly U64[], end: readonly U64[] | undefined): number {
  return removeLevel(raw, [], begin, end);
}

function removeLevel(
  raw: RawTree,
  above: readonly U64[],
  begin: readonly U64[],
  end: readonly U64[] | undefined,
): number {
  // An end without keys left is met exactly: everything here is at or beyond it.
  if (end !== undefined && end.length === 0) return 0;
  const isBottom = above.length === raw.levels - 1;
  if (isBottom) return raw.removeLeafRange(above, begin[0], end?.[0]);
  let removed = 0;
  let from = begin[0] ?? 0;
  for (;;) {
    const keys = keysOfLevel(raw, above, from, end);
    for (const key of keys) {
      const here = [...above, key];
      const subBegin = sameKey(key, begin[0]) ? begin.slice(1) : [];
      const subEnd = end !== undefined && sameKey(key, end[0]) ? end.slice(1) : undefined;
      if (subBegin.length === 0 && subEnd === undefined) {
        removed += raw.removeBelow(here);
      } else {
        removed += removeLevel(raw, here, subBegin, subEnd);
      }
    }
    if (keys.length < BATCH) return removed;
    const last = BigInt(keys[keys.length - 1]!);
    if (last === 0xffff_ffff_ffff_ffffn) return removed;
    from = last + 1n;
  }
}

function sameKey(a: U64, b: U64 | undefined): boolean {
  return b !== undefined && BigInt(a) === BigInt(b);
}

/** The next keys of one level within the bounds. The end's own key is in where more of its keys follow. */
function keysOfLevel(raw: RawTree, above: readonly U64[], from: U64, end: readonly U64[] | undefined): U64[] {
  const root = raw.subRoot(above);
  const keys: U64[] = [];
  if (root === undefined) return keys;
  const last = end?.[0];
  const endIsIn = end !== undefined && end.length > 1;
  for (const [key] of range(raw.upperLevel, root, { begin: from })) {
    if (last !== undefined && (endIsIn ? key > last : key >= last)) break;
    keys.push(key);
    if (keys.length === BATCH) break;
  }
  return keys;
}
