import { compareHalves, highHalf, joinKey, lowHalf, type Slab, StateError, type U64 } from '../base/index.ts';
import { NODE_HEADER, type NodeView } from '../format/index.ts';
import type { BlockReader, TransactionManager } from '../transaction-manager/index.ts';
import type { Btree } from './btree.ts';
import type { CursorOptions, TreeKind } from './cursor.ts';
import { DiffSide } from './diff-side.ts';
import type { Root } from './tree-context.ts';
import { blockReferenceType, readU64 } from './value-type.ts';

const KEYS = NODE_HEADER.size / 4;

/** One key that two versions of a tree treat differently. `undefined` is on the side that has not got the key. */
export interface Difference<V> {
  /** Outermost first: one key for each level. */
  readonly keys: readonly U64[];
  readonly left: V | undefined;
  readonly right: V | undefined;
}

export interface DiffOptions extends CursorOptions {
  /** Whether two values are the same. Default: all their bytes are. Offsets in bytes. */
  readonly equal?: (slabLeft: Slab, atLeft: number, slabRight: Slab, atRight: number) => boolean;
}

export interface TreeDiffOptions extends DiffOptions {
  /** The first key that is of interest. Default: the smallest there is. */
  readonly begin?: U64;
  /** The key before which the comparison ends (half-open). Default: beyond the largest there is. */
  readonly end?: U64;
}

/**
 * The differences between two versions of a tree, in key order: keys that one of them lacks, and keys with different values. Sub-trees that
 * both share are stepped over unread, wherever they lie and however high the trees are: O(differences · height), not O(size).
 *
 * @param left - `undefined` stands for a tree without entries; so does `right`.
 * @throws {StateError} when something is changed between two differences and the trees are not `frozen`.
 * @throws {CorruptionError} when a node that had to be read is not believable.
 */
export function diffTrees<V>(
  tree: Btree<V>,
  left: Root | undefined,
  right: Root | undefined,
  options: DiffOptions = {},
): Generator<Difference<V>, undefined> {
  return diffLevel(tree, [], left, right, options);
}

function* diffLevel<V>(
  tree: Btree<V>,
  above: readonly U64[],
  left: Root | undefined,
  right: Root | undefined,
  options: DiffOptions,
): Generator<Difference<V>, undefined> {
  const { tm, valueType } = tree;
  const { slab } = tm.blockManager;
  if (above.length === tree.levels - 1) {
    const diff = new TreeDiff(tree, left, right, options);
    while (diff.next()) {
      yield {
        keys: [...above, joinKey(diff.keyHigh, diff.keyLow)],
        left: diff.leftAt < 0 ? undefined : valueType.read(slab, diff.leftAt),
        right: diff.rightAt < 0 ? undefined : valueType.read(slab, diff.rightAt),
      };
    }
    return;
  }
  const { equal: _, ...others } = options;
  const diff = new TreeDiff({ tm, valueType: blockReferenceType(tm) }, left, right, others);
  while (diff.next()) {
    const key = joinKey(diff.keyHigh, diff.keyLow);
    const leftSub = diff.leftAt < 0 ? undefined : readU64(slab, diff.leftAt);
    const rightSub = diff.rightAt < 0 ? undefined : readU64(slab, diff.rightAt);
    yield* diffLevel(tree, [...above, key], leftSub, rightSub, options);
  }
}

/**
 * {@link diffTrees} for one level, step by step and without allocation: for many differences. Of a range of keys, only what may hold some of them is read.
 *
 * @example
 * ```ts
 * const diff = new TreeDiff(tree, before, after);
 * while (diff.next()) if (diff.leftAt < 0) console.log('new', diff.keyLow);
 * ```
 */
export class TreeDiff<V> {
  /** The key, in halves. */
  keyHigh = 0;
  keyLow = 0;
  /** Byte offsets of the values in the block manager's slab, valid until its next call; -1 on the side that lacks the key. */
  leftAt = -1;
  rightAt = -1;
  readonly #tm: TransactionManager;
  readonly #left: DiffSide;
  readonly #right: DiffSide;
  readonly #slab: Slab;
  readonly #size: number;
  readonly #equal: DiffOptions['equal'];
  readonly #frozen: boolean;
  readonly #version: number;
  readonly #begin: Bound | undefined;
  readonly #end: Bound | undefined;

  constructor(tree: TreeKind<V>, left: Root | undefined, right: Root | undefined, options: TreeDiffOptions = {}) {
    const reader: BlockReader = options.reader ?? tree.tm;
    const { size } = tree.valueType;
    const isSame = left === right;
    this.#tm = tree.tm;
    this.#left = new DiffSide(reader, isSame ? undefined : left, size);
    this.#right = new DiffSide(reader, isSame ? undefined : right, size);
    this.#slab = reader.blockManager.slab;
    this.#size = size;
    this.#equal = options.equal;
    this.#frozen = options.frozen ?? false;
    this.#version = tree.tm.version;
    this.#begin = boundOf(options.begin);
    this.#end = boundOf(options.end);
    if (this.#begin === undefined) return;
    for (const side of [this.#left, this.#right]) side.seek(this.#begin.high, this.#begin.low);
  }

  /** Goes to the next difference. False when there is none left. */
  next(): boolean {
    return this.#step() && (this.#end === undefined || isBelow(this.keyHigh, this.keyLow, this.#end));
  }

  #step(): boolean {
    if (!this.#frozen && this.#version !== this.#tm.version) {
      throw new StateError('Cannot go on with the comparison: something was changed meanwhile');
    }
    const left = this.#left;
    const right = this.#right;
    for (;;) {
      // Only now: leaving a leaf reads its parent, which might evict the leaf that the last difference lies in.
      if (left.isLeafDone) left.leaveLeaf();
      if (right.isLeafDone) right.leaveLeaf();
      if (this.#end !== undefined && isBehind(left, this.#end) && isBehind(right, this.#end)) return false;
      if (left.isItem || right.isItem) this.#approach();
      else if (left.done && right.done) return false;
      else if (this.#compareEntries()) return true;
      if (this.#isAhead(left, right)) return this.#take(left, true);
      if (this.#isAhead(right, left)) return this.#take(right, false);
    }
  }

  /** Whether `side` is at an entry that the other side can't have any more. */
  #isAhead(side: DiffSide, other: DiffSide): boolean {
    if (side.isItem || side.done || side.isLeafDone) return false;
    if (other.done) return true;
    if (!other.isItem) return false;
    side.touch();
    const { node, index } = side;
    return compareHalves(node.keyHigh(index), node.keyLow(index), other.itemHigh, other.itemLow) < 0;
  }

  /**
   * At least one side is at a sub-tree that was not entered. Cases:
   *
   * 1. both are at the same one, or one is at the beginning of what the other is at: step over it on both sides;
   * 2. both are at different ones: enter that which begins first, of two that begin together the higher one, of equal ones both;
   * 3. one is at an entry: enter the other's, unless the entry lies before it; then that is a difference.
   */
  #approach(): void {
    const left = this.#left;
    const right = this.#right;
    if (left.isItem && right.isItem) {
      if (left.itemBlock === right.itemBlock) {
        left.skipCommon(right);
        return;
      }
      if (this.#stepOverFresh(left, right) || this.#stepOverFresh(right, left)) return;
      const order = compareHalves(left.itemHigh, left.itemLow, right.itemHigh, right.itemLow);
      const leftHeight = left.itemHeight;
      const rightHeight = right.itemHeight;
      if (order < 0 || (order === 0 && leftHeight >= rightHeight)) left.expand();
      if (order > 0 || (order === 0 && leftHeight <= rightHeight)) right.expand();
      return;
    }
    const [item, other] = left.isItem ? [left, right] : [right, left];
    if (other.done) item.expand();
    else if (!this.#isAhead(other, item) && !this.#stepOverFresh(other, item)) item.expand();
  }

  #stepOverFresh(side: DiffSide, item: DiffSide): boolean {
    if (!side.skipIfFresh(item.itemBlock)) return false;
    item.skip();
    return true;
  }

  /** One difference: the current entry of a side. */
  #take(side: DiffSide, isLeft: boolean): true {
    side.touch();
    const { node, index } = side;
    this.keyHigh = node.keyHigh(index);
    this.keyLow = node.keyLow(index);
    const at = node.valueAt(index);
    this.leftAt = isLeft ? at : -1;
    this.rightAt = isLeft ? -1 : at;
    side.index = index + 1;
    return true;
  }

  /** Both sides are at entries (or one is done): goes on to the next difference in these two leaves. False at the end of one. */
  #compareEntries(): boolean {
    const left = this.#left;
    const right = this.#right;
    if (left.done || right.done) return false;
    do {
      left.touch();
      right.touch();
    } while (!left.isInPlace);
    const a = left.node;
    const b = right.node;
    const nrLeft = left.nrEntries;
    const nrRight = right.nrEntries;
    const same = this.#countSame(a, left.index, b, right.index, Math.min(nrLeft - left.index, nrRight - right.index));
    let i = left.index + same;
    let j = right.index + same;
    let found = false;
    while (i < nrLeft && j < nrRight) {
      const high = a.keyHigh(i);
      const low = a.keyLow(i);
      const order = compareHalves(high, low, b.keyHigh(j), b.keyLow(j));
      if (order === 0 && this.#isEqual(a.valueAt(i), b.valueAt(j))) {
        i++;
        j++;
        continue;
      }
      this.keyHigh = order <= 0 ? high : b.keyHigh(j);
      this.keyLow = order <= 0 ? low : b.keyLow(j);
      this.leftAt = order <= 0 ? a.valueAt(i++) : -1;
      this.rightAt = order >= 0 ? b.valueAt(j++) : -1;
      found = true;
      break;
    }
    left.index = i;
    right.index = j;
    return found;
  }

  /**
   * How many entries from these indexes on are the same, byte by byte, at most `most`. For values of 8 bytes; for others 0, and the loop that
   * looks at keys does them. A bare loop over words, as two leaves that differ have hundreds of equal entries for each different one.
   */
  #countSame(a: NodeView, i: number, b: NodeView, j: number, most: number): number {
    if (this.#size !== 8) return 0;
    const { words } = this.#slab;
    const keysA = a.base + KEYS + 2 * i;
    const keysB = b.base + KEYS + 2 * j;
    const valuesA = a.valueAt(i) >>> 2;
    const valuesB = b.valueAt(j) >>> 2;
    const end = 2 * most;
    let at = 0;
    while (at < end && words[keysA + at] === words[keysB + at] && words[valuesA + at] === words[valuesB + at]) at++;
    return at >>> 1;
  }

  #isEqual(left: number, right: number): boolean {
    const slab = this.#slab;
    if (this.#equal !== undefined) return this.#equal(slab, left, slab, right);
    const size = this.#size;
    if (size === 8) {
      const { words } = slab;
      const a = left >>> 2;
      const b = right >>> 2;
      return words[a] === words[b] && words[a + 1] === words[b + 1];
    }
    const { bytes } = slab;
    for (let i = 0; i < size; i++) if (bytes[left + i] !== bytes[right + i]) return false;
    return true;
  }
}

/** A key in halves. */
interface Bound {
  readonly high: number;
  readonly low: number;
}

function boundOf(key: U64 | undefined): Bound | undefined {
  return key === undefined ? undefined : { high: highHalf(key), low: lowHalf(key) };
}

function isBelow(high: number, low: number, bound: Bound): boolean {
  return compareHalves(high, low, bound.high, bound.low) < 0;
}

/** Whether everything that a side still has lies behind the range. */
function isBehind(side: DiffSide, end: Bound): boolean {
  return side.done || (side.isItem && !isBelow(side.itemHigh, side.itemLow, end));
}
