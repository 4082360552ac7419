import { NODE_HEADER, NODE_VALIDATOR, type NodeView } from '../format/index.ts';
import type { PutBuffer } from './put-buffer.ts';
import { makeRoom, splitBeneath } from './split.ts';
import type { Root, TreeContext } from './tree-context.ts';

const KEYS = NODE_HEADER.size / 4;
/** From so many entries on a copy of memory moves them faster than a loop. */
const MANY = 24;

/**
 * Merges sorted entries into a tree of one level: one descent for all that belong into a leaf, and one pass over the leaf. A million random entries that
 * come by thousands for each leaf of the way cost a quarter of single inserts (bench: `kv`, random insert).
 *
 * Leaves are made room in as for a single insert, but for entries behind all others, which fill one leaf after the other. So a node below the root stays
 * at least a third full; the tree's shape differs from that of single inserts.
 */
export class SortedMerge<V> {
  /** Keys of the last merge that were not there before. */
  nrNew = 0;
  readonly #tree: TreeContext<V>;
  /** For each entry of a run: twice the index in the leaf of the largest key at most its own (or -1), and 1 if that is its own. */
  readonly #places: Int32Array;
  /** Entries of the located run that are new. */
  #nrFresh = 0;
  /** Where the current leaf's keys end, and its place in the parent. */
  #endHigh = 0;
  #endLow = 0;
  #index = -1;
  /** Where the parent's keys end. */
  #parentEndHigh = 0;
  #parentEndLow = 0;

  constructor(tree: TreeContext<V>) {
    this.#tree = tree;
    this.#places = new Int32Array(tree.maxLeafEntries);
  }

  /**
   * Merges all entries and answers the new root. References that values stand for pass to the tree.
   *
   * @param entries - Sorted.
   * @param beforeLeaf - Called before each descent, while nothing is locked: to make sure of space.
   */
  merge(root: Root, entries: PutBuffer, beforeLeaf?: () => void): Root {
    const { spine } = this.#tree;
    this.nrNew = 0;
    let newRoot = root;
    for (let next = 0; next < entries.count; ) {
      beforeLeaf?.();
      this.#descend(newRoot, entries, next);
      next = this.#fill(entries, next);
      newRoot = spine.root;
      spine.end();
    }
    return newRoot;
  }

  /** As an insert does, goes down to the leaf for an entry, so that the leaf's parent has room for one more. */
  #descend(root: Root, entries: PutBuffer, next: number): void {
    const tree = this.#tree;
    const { spine, node } = tree;
    const type = tree.levelType(0);
    const low = entries.keys[2 * entries.order[next]!]!;
    const high = entries.keys[2 * entries.order[next]! + 1]!;
    let block = root;
    this.#index = -1;
    this.#setEnd(Number.POSITIVE_INFINITY, 0);
    this.#parentEndHigh = Number.POSITIVE_INFINITY;
    this.#parentEndLow = 0;
    spine.begin();
    for (;;) {
      spine.step(block, type);
      if (spine.hasParent) spine.patchParent(this.#index);
      node.base = spine.current;
      if (node.isLeaf) return;
      if (node.nrEntries === node.maxEntries) {
        if (spine.hasParent) this.#makeRoom(high, low);
        else splitBeneath(tree);
        node.base = spine.current;
      }
      this.#index = node.lowerBound(high, low);
      if (this.#index < 0) {
        node.setKey(0, high, low);
        this.#index = 0;
      }
      this.#parentEndHigh = this.#endHigh;
      this.#parentEndLow = this.#endLow;
      this.#boundBy(node);
      block = node.childAt(this.#index);
    }
  }

  #setEnd(high: number, low: number): void {
    this.#endHigh = high;
    this.#endLow = low;
  }

  /** The child of this parent ends where the next one begins, or the parent itself ends. */
  #boundBy(parent: NodeView): void {
    const next = this.#index + 1;
    if (next < parent.nrEntries) this.#setEnd(parent.keyHigh(next), parent.keyLow(next));
    else this.#setEnd(this.#parentEndHigh, this.#parentEndLow);
  }

  /** Makes room in the current node, for this key, and moves on to the node that it belongs into. */
  #makeRoom(high: number, low: number, wanted?: number): void {
    const tree = this.#tree;
    const { spine, node, center: parent } = tree;
    makeRoom(tree, tree.levelType(0), this.#index, high, low, wanted);
    node.base = spine.current;
    parent.base = spine.parent;
    this.#index = Math.max(parent.lowerBound(high, low), 0);
    this.#boundBy(parent);
  }

  /** Puts entries from `from` on into the current leaf, as many as belong there and fit. Answers the first that is left; at least one goes, or a level was added. */
  #fill(entries: PutBuffer, from: number): number {
    const { spine, node, maxLeafEntries } = this.#tree;
    const { keys, order } = entries;
    if (isBehind(node, keys, order[from]!)) {
      const appended = this.#append(entries, from);
      if (appended > from) return appended;
    }
    const end = this.#endOfRun(entries, from, maxLeafEntries);
    let count = this.#locate(entries, from, end);
    if (count < end - from) {
      if (!spine.hasParent) {
        if (count === 0) {
          splitBeneath(this.#tree);
          return from;
        }
      } else if (count === 0 || 3 * node.nrEntries >= 2 * maxLeafEntries) {
        // A sibling takes what is too much here only if it has room for all of it.
        const missing = 2 * (end - from - count);
        this.#makeRoom(keys[2 * order[from]! + 1]!, keys[2 * order[from]!]!, Math.min(missing, maxLeafEntries / 3));
        count = this.#locate(entries, from, this.#endOfRun(entries, from, maxLeafEntries));
      }
    }
    this.#giveUpOld(entries, from, count);
    if (node.valueSize === 8) this.#applyWords(entries, from, count);
    else this.#apply(entries, from, count);
    this.nrNew += this.#nrFresh;
    return from + count;
  }

  /** Index after the last of `most` entries that are below the leaf's end. */
  #endOfRun({ keys, order, count }: PutBuffer, from: number, most: number): number {
    const last = Math.min(count, from + most);
    const endHigh = this.#endHigh;
    const endLow = this.#endLow;
    let begin = from;
    let end = from + 1;
    // Runs are short where keys are spread over many leaves, and as long as can be where they are dense.
    for (let step = 1; end < last && isBelow(keys, 2 * order[end]!, endHigh, endLow); step *= 2) {
      begin = end;
      end += step;
    }
    if (end > last) end = last;
    while (end - begin > 1) {
      const middle = (begin + end) >>> 1;
      if (isBelow(keys, 2 * order[middle]!, endHigh, endLow)) begin = middle;
      else end = middle;
    }
    return end;
  }

  /** Finds the places of the run's entries, as far as there is room for them. Answers how many that are. */
  #locate({ keys, order }: PutBuffer, from: number, end: number): number {
    const { node } = this.#tree;
    const { words } = node;
    const nodeKeys = node.base + KEYS;
    const nr = node.nrEntries;
    const room = node.maxEntries - nr;
    const places = this.#places;
    let fresh = 0;
    let begin = -1;
    let i = from;
    for (; i < end; i++) {
      const low = keys[2 * order[i]!]!;
      const high = keys[2 * order[i]! + 1]!;
      // By steps that double, from the last entry's place on.
      let after = begin + 1;
      for (let step = 1; after < nr && isAtMost(words, nodeKeys + 2 * after, high, low); step *= 2) {
        begin = after;
        after += step;
      }
      if (after > nr) after = nr;
      while (after - begin > 1) {
        const middle = (begin + after) >>> 1;
        if (isAtMost(words, nodeKeys + 2 * middle, high, low)) begin = middle;
        else after = middle;
      }
      const isOld = begin >= 0 && words[nodeKeys + 2 * begin] === low && words[nodeKeys + 2 * begin + 1] === high;
      if (!isOld && fresh++ === room) {
        fresh = room;
        break;
      }
      places[i - from] = 2 * begin + (isOld ? 1 : 0);
    }
    this.#nrFresh = fresh;
    return i - from;
  }

  /** Gives up the values that are about to be overwritten. */
  #giveUpOld({ order, values, valueSize }: PutBuffer, from: number, count: number): void {
    const { node, valueType } = this.#tree;
    const { dec, equal } = valueType;
    if (dec === undefined) return;
    for (let i = 0; i < count; i++) {
      const place = this.#places[i]!;
      if ((place & 1) === 0) continue;
      const at = node.valueAt(place >> 1);
      if (!equal?.(node.slab, at, values, order[from + i]! * valueSize)) dec(node.slab, at, 1);
    }
  }

  /** Puts located entries into the leaf, from the back: old ones move up by as many as new ones are still to come before them. */
  #apply({ keys, order, values, valueSize }: PutBuffer, from: number, count: number): void {
    const { node } = this.#tree;
    const { bytes } = node.slab;
    let old = node.nrEntries;
    let to = old + this.#nrFresh;
    node.nrEntries = to;
    for (let i = count - 1; i >= 0; i--) {
      const place = this.#places[i]!;
      const entry = order[from + i]!;
      const behind = (place >> 1) + 1;
      to -= old - behind;
      if (to !== behind) node.moveEntries(behind, to, old - behind);
      old = behind - (place & 1);
      to--;
      node.setKey(to, keys[2 * entry + 1]!, keys[2 * entry]!);
      const at = node.valueAt(to);
      for (let byte = 0; byte < valueSize; byte++) bytes[at + byte] = values.bytes[entry * valueSize + byte]!;
    }
  }

  /** As {@link #apply}, for values of two words, which most are: with few entries between two new ones a loop takes half the time of two copies. */
  #applyWords({ keys, order, values }: PutBuffer, from: number, count: number): void {
    const { node } = this.#tree;
    const { words } = node;
    const keysAt = node.base + KEYS;
    const shift = (node.valueAt(0) >>> 2) - keysAt;
    let old = node.nrEntries;
    let to = old + this.#nrFresh;
    node.nrEntries = to;
    for (let i = count - 1; i >= 0; i--) {
      const place = this.#places[i]!;
      const entry = order[from + i]!;
      const behind = (place >> 1) + 1;
      to -= old - behind;
      if (to !== behind) {
        if (old - behind > MANY) {
          node.moveEntries(behind, to, old - behind);
        } else {
          const up = 2 * (to - behind);
          const first = keysAt + 2 * behind;
          for (let at = keysAt + 2 * old - 1; at >= first; at--) {
            words[at + up] = words[at]!;
            words[at + shift + up] = words[at + shift]!;
          }
        }
      }
      old = behind - (place & 1);
      to--;
      const at = keysAt + 2 * to;
      words[at] = keys[2 * entry]!;
      words[at + 1] = keys[2 * entry + 1]!;
      words[at + shift] = values.words[2 * entry]!;
      words[at + shift + 1] = values.words[2 * entry + 1]!;
    }
  }

  /**
   * Entries behind all of the leaf's: they fill it, and then a new leaf to its right, if they are enough for one. Answers the first that is left, which
   * is `from` when there is neither room nor enough.
   */
  #append(entries: PutBuffer, from: number): number {
    const { tm, spine, node, right, center: parent, maxLeafEntries } = this.#tree;
    const end = this.#endOfRun(entries, from, 2 * maxLeafEntries);
    const first = Math.min(end - from, maxLeafEntries - node.nrEntries);
    this.#appendTo(node, entries, from, first);
    const rest = Math.min(end - from - first, maxLeafEntries);
    if (rest < Math.floor(maxLeafEntries / 3) || !spine.hasParent) return from + first;
    right.base = tm.newBlock(NODE_VALIDATOR);
    right.copyGeometry(node);
    this.#appendTo(right, entries, from + first, rest);
    parent.base = spine.parent;
    parent.openGap(this.#index + 1, right.keyHigh(0), right.keyLow(0));
    parent.setChild(this.#index + 1, tm.blockManager.blockAt(right.base));
    tm.unlock(right.base);
    return from + first + rest;
  }

  #appendTo(node: NodeView, { keys, order, values, valueSize, isPlain }: PutBuffer, from: number, count: number): void {
    const { nrEntries, words } = node;
    const { bytes } = node.slab;
    if (count === 0) return;
    node.nrEntries = nrEntries + count;
    this.nrNew += count;
    if (isPlain) {
      words.set(keys.subarray(2 * from, 2 * (from + count)), node.base + KEYS + 2 * nrEntries);
      bytes.set(values.bytes.subarray(from * valueSize, (from + count) * valueSize), node.valueAt(nrEntries));
      return;
    }
    for (let i = 0; i < count; i++) {
      const entry = order[from + i]!;
      node.setKey(nrEntries + i, keys[2 * entry + 1]!, keys[2 * entry]!);
      const at = node.valueAt(nrEntries + i);
      for (let byte = 0; byte < valueSize; byte++) bytes[at + byte] = values.bytes[entry * valueSize + byte]!;
    }
  }
}

function isAtMost(words: Uint32Array, at: number, high: number, low: number): boolean {
  const keyHigh = words[at + 1]!;
  return keyHigh !== high ? keyHigh < high : words[at]! <= low;
}

function isBelow(words: Uint32Array, at: number, high: number, low: number): boolean {
  const keyHigh = words[at + 1]!;
  return keyHigh !== high ? keyHigh < high : words[at]! < low;
}

/** Whether an entry's key is behind all of the node's. */
function isBehind(node: NodeView, keys: Uint32Array, entry: number): boolean {
  const last = node.nrEntries - 1;
  return last < 0 || isBelow(node.words, node.base + KEYS + 2 * last, keys[2 * entry + 1]!, keys[2 * entry]!);
}
