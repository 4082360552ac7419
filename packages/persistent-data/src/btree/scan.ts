import { compareHalves, highHalf, lowHalf, type Slab, StateError } from '../base/index.ts';
import { NODE_HEADER, NODE_VALIDATOR } from '../format/index.ts';
import type { CursorOptions, TreeKind } from './cursor.ts';
import type { RangeOptions } from './range.ts';
import type { Root } from './tree-context.ts';
import { TreePath } from './tree-path.ts';

const KEYS = NODE_HEADER.size / 4;

/** Gets one entry in place: its key in two halves, its value at byte offset `at`. Answering `false` ends the scan. */
export type EntryVisitor = (slab: Slab, keyHigh: number, keyLow: number, at: number) => unknown;

/**
 * Calls `visit` for each entry of a tree of one level (or of one sub-tree) in key order: the fastest scan, a few ns per entry. The leaf stays
 * where it is during the calls, which may read through the block manager, but not change this tree.
 *
 * @returns Whether the scan went through to the end.
 * @throws {StateError} when a visit changed something and the tree is not `frozen`.
 */
export function forEachEntry<V>(
  tree: TreeKind<V>,
  root: Root,
  visit: EntryVisitor,
  options: Pick<RangeOptions, 'begin' | 'end'> & Pick<CursorOptions, 'frozen'> = {},
): boolean {
  const path = tree.paths?.take() ?? new TreePath(tree.tm, tree.valueType.size);
  try {
    return scan(tree, path, root, visit, options);
  } finally {
    tree.paths?.giveBack(path);
  }
}

function scan<V>(
  { tm, valueType }: TreeKind<V>,
  path: TreePath,
  root: Root,
  visit: EntryVisitor,
  { begin, end, frozen = false }: Pick<RangeOptions, 'begin' | 'end'> & Pick<CursorOptions, 'frozen'>,
): boolean {
  const { version } = tm;
  const endHigh = end === undefined ? Number.POSITIVE_INFINITY : highHalf(end);
  const endLow = end === undefined ? 0 : lowHalf(end);
  let from = 0;
  if (begin === undefined) {
    if (!path.seekEdge(root, true)) return true;
  } else {
    from = path.seekAtLeast(root, highHalf(begin), lowHalf(begin));
    if (from < 0) return true;
  }
  do {
    const to = entriesBelow(path, endHigh, endLow);
    if (!visitLeaf(path, from, to, valueType.size, visit)) return false;
    if (!frozen && tm.version !== version)
      throw new StateError('Cannot go on with the scan: a visit changed something');
    if (to < path.nrEntries) return true;
    from = 0;
  } while (path.nextLeaf());
  return true;
}

/** Entries of the leaf whose keys are below the end. */
function entriesBelow(path: TreePath, endHigh: number, endLow: number): number {
  const { node, nrEntries } = path;
  if (compareHalves(node.keyHigh(nrEntries - 1), node.keyLow(nrEntries - 1), endHigh, endLow) < 0) return nrEntries;
  const index = node.lowerBound(endHigh, endLow);
  return index >= 0 && node.hasKey(index, endHigh, endLow) ? index : index + 1;
}

function visitLeaf(path: TreePath, from: number, to: number, size: number, visit: EntryVisitor): boolean {
  const { node, reader, leafBlock } = path;
  const { blockManager } = reader;
  const { slab } = node;
  const base = blockManager.readLock(leafBlock, NODE_VALIDATOR);
  node.base = base;
  try {
    const { words } = slab;
    const end = base + KEYS + 2 * to;
    let at = node.valueAt(from);
    for (let word = base + KEYS + 2 * from; word < end; word += 2, at += size) {
      if (visit(slab, words[word + 1]!, words[word]!, at) === false) return false;
    }
    return true;
  } finally {
    blockManager.unlock(base);
  }
}
