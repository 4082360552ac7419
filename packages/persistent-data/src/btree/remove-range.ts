import { assert, CorruptionError, highHalf, lowHalf, type U64 } from '../base/index.ts';
import { NODE_FLAG_LEAF, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { Btree } from './btree.ts';
import { deleteTree } from './delete.ts';
import { findAtLeast, findAtMost, NOT_FOUND } from './lookup.ts';
import { evenOutAlong } from './seam.ts';
import { shadowNode } from './spine.ts';
import { changeSubTree } from './sub-tree.ts';
import { type Root, TreeContext } from './tree-context.ts';
import { MAX_HEIGHT } from './tree-path.ts';
import type { ValueType } from './value-type.ts';

export interface RemovalRange {
  /** Keys of upper levels: the sub-tree to remove from. Fewer than levels - 1 of them remove whole sub-trees. Default none. */
  readonly above?: readonly U64[];
  /** The first key to go. Default: the smallest there is. */
  readonly begin?: U64;
  /** The key before which the removal ends (half-open). Default: beyond the largest there is. */
  readonly end?: U64;
}

/**
 * Removes all entries of a range, and evens out what is left along its two edges, so that no node but the root is less than a third full.
 * Values are given up in batches, a leaf at a time. Costs a few blocks per level and one read per leaf that goes.
 *
 * The tree's shape differs from what removing the keys one by one gives; for the kernel's, see `Btree.removeLeaves`.
 *
 * @returns The new root, and the number of entries removed (of the level that `above` leads to). Both as before when the range is empty.
 * @throws {TypeError} when `above` has more keys than the tree has upper levels.
 */
export function removeRange<V>(tree: Btree<V>, root: Root, range: RemovalRange): { root: Root; count: number } {
  const { tm, levels, valueType } = tree;
  const { above = [], begin = 0, end } = range;
  const level = above.length;
  if (level >= levels) throw new TypeError(`Cannot use ${level} upper keys: the tree has ${levels} levels`);
  const beginHigh = highHalf(begin);
  const beginLow = lowHalf(begin);
  const endHigh = end === undefined ? Number.POSITIVE_INFINITY : highHalf(end);
  const endLow = end === undefined ? 0 : lowHalf(end);
  const removal = new RangeRemoval(new TreeContext(tm, levels, valueType), level, {
    beginHigh,
    beginLow,
    endHigh,
    endLow,
  });
  const subRoot = level === 0 ? root : tree.subTree(root, above);
  if (subRoot === undefined || removal.isEmpty(subRoot)) return { root, count: 0 };
  try {
    const newRoot = changeSubTree(new TreeContext(tm, levels, valueType), root, above, (sub) => removal.run(sub));
    assert(newRoot !== undefined, 'the sub-tree is still there');
    return { root: newRoot, count: removal.count };
  } catch (error) {
    tm.markBroken(error);
    throw error;
  }
}

/** Half-open range of keys, in halves. */
interface Bounds {
  readonly beginHigh: number;
  readonly beginLow: number;
  readonly endHigh: number;
  readonly endLow: number;
}

const NONE = -1;

class RangeRemoval<V> {
  /** Entries removed. */
  count = 0;
  readonly #tree: TreeContext<V>;
  readonly #tm: TransactionManager;
  readonly #level: number;
  readonly #type: ValueType<unknown>;
  readonly #bounds: Bounds;
  readonly #node: NodeView;
  /** Deletes the sub-trees below an entry of an upper level. */
  readonly #below: TreeContext<V> | undefined;

  constructor(tree: TreeContext<V>, level: number, bounds: Bounds) {
    const { tm, levels, valueType } = tree;
    this.#tree = tree;
    this.#tm = tm;
    this.#level = level;
    this.#type = tree.levelType(level);
    this.#bounds = bounds;
    this.#node = new NodeView(tm.blockManager.slab);
    this.#below = level < levels - 1 ? new TreeContext(tm, levels - 1 - level, valueType) : undefined;
  }

  isEmpty(root: Root): boolean {
    const { beginHigh, beginLow, endHigh, endLow } = this.#bounds;
    const node = this.#node;
    const index = findAtLeast(this.#tm, node, root, beginHigh, beginLow);
    return index === NOT_FOUND || !isBelow(node, index, endHigh, endLow);
  }

  run(root: Root): Root {
    const { beginHigh, beginLow, endHigh, endLow } = this.#bounds;
    const node = this.#node;
    let newRoot = this.#prune(root, 0, Number.POSITIVE_INFINITY, 0);
    // What became under-full lies on the way to the last key before the range or to the first one behind it.
    const before =
      beginHigh + beginLow > 0 ? findAtMost(this.#tm, node, newRoot, ...predecessor(beginHigh, beginLow)) : NOT_FOUND;
    const edges: [high: number, low: number][] = [];
    if (before !== NOT_FOUND) edges.push([node.keyHigh(before), node.keyLow(before)]);
    const behind =
      endHigh < Number.POSITIVE_INFINITY ? findAtLeast(this.#tm, node, newRoot, endHigh, endLow) : NOT_FOUND;
    if (behind !== NOT_FOUND) edges.push([node.keyHigh(behind), node.keyLow(behind)]);
    // A merge on one level may leave the level above short of entries, so go on until nothing changes: twice or thrice.
    for (let changed = true; changed; ) {
      changed = false;
      for (const [high, low] of edges) {
        const outcome = evenOutAlong(this.#tree, newRoot, this.#level, high, low);
        newRoot = outcome.root;
        changed ||= outcome.changed;
      }
    }
    return newRoot;
  }

  /**
   * Takes the range out below one node, without looking at how full the nodes become. Answers the node's new block, or {@link NONE} when
   * nothing is left of it; the top becomes an empty leaf then.
   *
   * @param nextHigh - With `nextLow` the key at which the next node begins.
   */
  #prune(block: number, depth: number, nextHigh: number, nextLow: number): number {
    if (depth >= MAX_HEIGHT) throw tooHigh(block);
    const tm = this.#tm;
    const node = this.#node;
    const base = shadowNode(tm, block, this.#type, node);
    const newBlock = tm.blockManager.blockAt(base);
    if (node.isLeaf) this.#pruneLeaf(node);
    else {
      const first = Math.max(node.lowerBound(this.#bounds.beginHigh, this.#bounds.beginLow), 0);
      const children = this.#childrenFrom(node, first, nextHigh, nextLow);
      tm.unlock(base);
      const kept = children.map(({ child, covered, endHigh, endLow }) => {
        if (!covered) return this.#prune(child, depth + 1, endHigh, endLow);
        this.#drop(child, depth + 1);
        return NONE;
      });
      node.base = tm.blockManager.writeLock(newBlock, NODE_VALIDATOR);
      this.#keep(node, first, kept);
    }
    const isEmpty = node.nrEntries === 0;
    if (isEmpty && depth === 0) node.setHeader(NODE_FLAG_LEAF, 0, this.#type.size);
    tm.unlock(node.base);
    if (!isEmpty || depth === 0) return newBlock;
    tm.dec(newBlock);
    return NONE;
  }

  #pruneLeaf(node: NodeView): void {
    const { beginHigh, beginLow, endHigh, endLow } = this.#bounds;
    const { nrEntries } = node;
    const from = firstAtLeast(node, beginHigh, beginLow);
    const to = endHigh === Number.POSITIVE_INFINITY ? nrEntries : firstAtLeast(node, endHigh, endLow);
    if (to <= from) return;
    const { base } = node;
    this.#dropValues(node, from, to);
    node.base = base;
    node.moveEntries(to, from, nrEntries - to);
    node.nrEntries = nrEntries - (to - from);
    this.count += to - from;
  }

  /** The children that may hold keys of the range, beginning at index `first`, and whether they hold no others. */
  #childrenFrom(node: NodeView, first: number, nextHigh: number, nextLow: number) {
    const { beginHigh, beginLow, endHigh, endLow } = this.#bounds;
    const { nrEntries } = node;
    const children: { child: number; covered: boolean; endHigh: number; endLow: number }[] = [];
    for (let i = first; i < nrEntries && isBelow(node, i, endHigh, endLow); i++) {
      const isLast = i + 1 === nrEntries;
      const childEndHigh = isLast ? nextHigh : node.keyHigh(i + 1);
      const childEndLow = isLast ? nextLow : node.keyLow(i + 1);
      const endsInside = childEndHigh < endHigh || (childEndHigh === endHigh && childEndLow <= endLow);
      const covered = endsInside && !isBelow(node, i, beginHigh, beginLow);
      children.push({ child: node.childAt(i), covered, endHigh: childEndHigh, endLow: childEndLow });
    }
    return children;
  }

  /** Puts the children that are left in the place of those that were there from index `first` on. */
  #keep(node: NodeView, first: number, kept: readonly number[]): void {
    const { nrEntries } = node;
    let to = first;
    for (const [i, child] of kept.entries()) {
      if (child === NONE) continue;
      node.setKey(to, node.keyHigh(first + i), node.keyLow(first + i));
      node.setChild(to, child);
      to++;
    }
    const from = first + kept.length;
    node.moveEntries(from, to, nrEntries - from);
    node.nrEntries = nrEntries - (from - to);
  }

  /** Gives up a node all of whose keys are in the range, and counts its entries. */
  #drop(block: number, depth: number): void {
    const tm = this.#tm;
    if (tm.ref(block) > 1) {
      this.count += this.#countBelow(block, depth);
      tm.dec(block);
      return;
    }
    if (depth >= MAX_HEIGHT) throw tooHigh(block);
    const node = this.#node;
    const base = tm.readLock(block, NODE_VALIDATOR);
    node.base = base;
    const { isLeaf, nrEntries } = node;
    const children = isLeaf ? [] : childrenOf(node);
    if (isLeaf) {
      this.count += nrEntries;
      this.#dropValues(node, 0, nrEntries);
    }
    tm.unlock(base);
    tm.blockManager.prefetch(children, NODE_VALIDATOR);
    for (const child of children) this.#drop(child, depth + 1);
    tm.dec(block);
  }

  /** Somebody else keeps the node: its entries leave this tree, and no reference changes but the one to it. */
  #countBelow(block: number, depth: number): number {
    if (depth >= MAX_HEIGHT) throw tooHigh(block);
    const node = this.#node;
    node.base = this.#tm.read(block, NODE_VALIDATOR);
    if (node.isLeaf) return node.nrEntries;
    return childrenOf(node).reduce((sum, child) => sum + this.#countBelow(child, depth + 1), 0);
  }

  #dropValues(node: NodeView, from: number, to: number): void {
    if (this.#below === undefined) {
      if (to > from) this.#type.dec?.(node.slab, node.valueAt(from), to - from);
      return;
    }
    for (let i = from; i < to; i++) deleteTree(this.#below, node.childAt(i));
  }
}

function childrenOf(node: NodeView): number[] {
  return Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
}

function firstAtLeast(node: NodeView, high: number, low: number): number {
  const index = node.lowerBound(high, low);
  return index >= 0 && node.hasKey(index, high, low) ? index : index + 1;
}

function isBelow(node: NodeView, index: number, high: number, low: number): boolean {
  const keyHigh = node.keyHigh(index);
  return keyHigh < high || (keyHigh === high && node.keyLow(index) < low);
}

function predecessor(high: number, low: number): [high: number, low: number] {
  return low > 0 ? [high, low - 1] : [high - 1, 0xffff_ffff];
}

function tooHigh(block: number): CorruptionError {
  return new CorruptionError(`Cannot remove a range: btree_node block ${block} is deeper than ${MAX_HEIGHT} nodes`, {
    block,
    kind: 'btree_node',
    field: 'height',
  });
}
