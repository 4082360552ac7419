import { CorruptionError, compareHalves } from '../base/index.ts';
import { NODE_VALIDATOR, type NodeView } from '../format/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';

/** No believable tree is this high: two entries a node would make 2^64 leaves. */
const MAX_HEIGHT = 64;

/** Where a search ended: the node is in the view, this is the index in it; -1 when the key is not there. */
export const NOT_FOUND = -1;

function tooHigh(root: number): CorruptionError {
  return new CorruptionError(`Cannot search tree ${root}: it is higher than ${MAX_HEIGHT} nodes, or has a cycle`, {
    block: root,
    kind: 'btree_node',
    field: 'height',
  });
}

/**
 * The index of the key in its leaf, to which `node` is moved, or {@link NOT_FOUND}. O(log n), one block per level, no lock; allocates nothing.
 *
 * A child is searched between the keys beside its own in the parent: its first and its last key, two lines of memory that are mostly not in the
 * processor's cache, need not be looked at (bench: `kv`, look-up; a fifth of its time).
 */
export function findExact(reader: BlockReader, node: NodeView, root: number, high: number, low: number): number {
  let block = root;
  let first = 0;
  let final = 0;
  let finalHigh = -1;
  let isBetween = false;
  for (let height = 0; height < MAX_HEIGHT; height++) {
    node.base = reader.read(block, NODE_VALIDATOR);
    const index: number = isBetween ? node.lowerBoundBetween(low, first, final) : node.lowerBound(high, low);
    if (node.isLeaf) return index >= 0 && node.hasKey(index, high, low) ? index : NOT_FOUND;
    if (index < 0) return NOT_FOUND;
    if (index + 1 < node.nrEntries) {
      final = node.keyLow(index + 1);
      finalHigh = node.keyHigh(index + 1);
    }
    first = node.keyLow(index);
    isBetween = finalHigh === high && node.keyHigh(index) === high;
    block = node.childAt(index);
  }
  throw tooHigh(root);
}

/** The index of the largest key at most the wanted one, or {@link NOT_FOUND}. `node` is moved to its leaf. */
export function findAtMost(reader: BlockReader, node: NodeView, root: number, high: number, low: number): number {
  return inOrder(reader, node, seekAtMost(reader, node, root, high, low), high, low, -1);
}

/** The index of the smallest key at least the wanted one, or {@link NOT_FOUND}. `node` is moved to its leaf. */
export function findAtLeast(reader: BlockReader, node: NodeView, root: number, high: number, low: number): number {
  return inOrder(reader, node, seekAtLeast(reader, node, root, high, low), high, low, 1);
}

/**
 * What was found, which is above (`direction` 1) or below (-1) the wanted key, or the key itself. Who goes on from there relies on it: a disk
 * where keys are out of order must not send him round in a circle.
 */
function inOrder(
  reader: BlockReader,
  node: NodeView,
  index: number,
  high: number,
  low: number,
  direction: 1 | -1,
): number {
  if (index === NOT_FOUND) return index;
  if (compareHalves(node.keyHigh(index), node.keyLow(index), high, low) * direction >= 0) return index;
  const block = reader.blockManager.blockAt(node.base);
  throw new CorruptionError(`Cannot search btree_node block ${block}: its keys are out of order`, {
    block,
    kind: 'btree_node',
    field: 'keys',
  });
}

function seekAtMost(reader: BlockReader, node: NodeView, root: number, high: number, low: number): number {
  // The path of the key leads to its predecessor, except where a sub-tree's first key is above the parent's: then go left of there.
  let block = root;
  let fallback = -1;
  for (let height = 0; height < MAX_HEIGHT; height++) {
    node.base = reader.read(block, NODE_VALIDATOR);
    const index = node.lowerBound(high, low);
    if (node.isLeaf) {
      if (index >= 0) return index;
      return fallback < 0 ? NOT_FOUND : edgeOf(reader, node, fallback, false);
    }
    if (index < 0) return fallback < 0 ? NOT_FOUND : edgeOf(reader, node, fallback, false);
    if (index > 0) fallback = node.childAt(index - 1);
    block = node.childAt(index);
  }
  throw tooHigh(root);
}

function seekAtLeast(reader: BlockReader, node: NodeView, root: number, high: number, low: number): number {
  let block = root;
  let fallback = -1;
  for (let height = 0; height < MAX_HEIGHT; height++) {
    node.base = reader.read(block, NODE_VALIDATOR);
    const { nrEntries } = node;
    const index = Math.max(node.lowerBound(high, low), 0);
    if (node.isLeaf) {
      const from =
        index < nrEntries && compareHalves(node.keyHigh(index), node.keyLow(index), high, low) < 0 ? index + 1 : index;
      if (from < nrEntries) return from;
      return fallback < 0 ? NOT_FOUND : edgeOf(reader, node, fallback, true);
    }
    if (index < nrEntries - 1) fallback = node.childAt(index + 1);
    block = node.childAt(index);
  }
  throw tooHigh(root);
}

/** The index of the first (or last) entry of a tree, or {@link NOT_FOUND} when it is empty. `node` is moved to its leaf. */
export function edgeOf(reader: BlockReader, node: NodeView, root: number, first: boolean): number {
  let block = root;
  for (let height = 0; height < MAX_HEIGHT; height++) {
    node.base = reader.read(block, NODE_VALIDATOR);
    const { nrEntries } = node;
    if (node.isLeaf) {
      if (nrEntries === 0) return NOT_FOUND;
      return first ? 0 : nrEntries - 1;
    }
    block = node.childAt(first ? 0 : nrEntries - 1);
  }
  throw tooHigh(root);
}
