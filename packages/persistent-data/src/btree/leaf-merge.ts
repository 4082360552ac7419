import { Slab } from '../base/index.ts';
import { maxEntriesFor, NODE_HEADER, NODE_VALIDATOR, type NodeView } from '../format/index.ts';
import type { TreeContext } from './tree-context.ts';

const KEYS = NODE_HEADER.size / 4;

/**
 * Merges a run of entries in order of their keys into the leaf that a context's spine has come to. When they do not fit, a second leaf is made
 * beside it, and each gets half: two full ones, where a full run follows a full leaf.
 *
 * All entries of the run belong into this leaf, they are at most as many as a leaf holds, and the parent has room for one more.
 */
export class LeafMerge<V> {
  /** Entries in the run. */
  count = 0;
  readonly #tree: TreeContext<V>;
  readonly #size: number;
  /** The run: keys as in a node, low half first; values one after the other. */
  readonly #keys: Uint32Array;
  readonly #values: Slab;
  /** Old and new entries together, when they are to be shared out between two leaves. */
  readonly #allKeys: Uint32Array;
  readonly #allValues: Uint8Array;

  constructor(tree: TreeContext<V>) {
    const { size } = tree.valueType;
    const max = maxEntriesFor(size);
    this.#tree = tree;
    this.#size = size;
    this.#keys = new Uint32Array(2 * max);
    this.#values = Slab.ofSize((max * size + 3) & ~3);
    this.#allKeys = new Uint32Array(4 * max);
    this.#allValues = new Uint8Array(2 * max * size);
  }

  begin(): void {
    this.count = 0;
  }

  /** Adds an entry to the run. */
  add(high: number, low: number, value: V): void {
    const index = this.count++;
    this.#keys[2 * index] = low;
    this.#keys[2 * index + 1] = high;
    this.#tree.valueType.write(this.#values, index * this.#size, value);
  }

  /** Puts the run into the leaf, `tree.node`, and answers how many keys were new. The spine's current node may be either leaf then. */
  finish(): number {
    const { node } = this.#tree;
    const { count } = this;
    const { nrEntries, maxEntries } = node;
    if (nrEntries + count <= maxEntries && this.#isBehind(node)) {
      this.#append(node);
      return count;
    }
    const nrOld = this.#countOld(node);
    const nrNew = count - nrOld;
    if (nrOld > 0) this.#dropOld(node);
    if (nrEntries + nrNew <= maxEntries) this.#mergeInPlace(node, nrEntries + nrNew);
    else this.#shareOut(node, nrEntries + nrNew);
    return nrNew;
  }

  #isBehind(node: NodeView): boolean {
    const last = node.nrEntries - 1;
    return last < 0 || this.#isBelow(node, last, 0);
  }

  /** Whether the node's key is below one of the run. */
  #isBelow(node: NodeView, index: number, ofRun: number): boolean {
    const high = node.keyHigh(index);
    const runHigh = this.#keys[2 * ofRun + 1]!;
    return high !== runHigh ? high < runHigh : node.keyLow(index) < this.#keys[2 * ofRun]!;
  }

  #isEqual(node: NodeView, index: number, ofRun: number): boolean {
    return node.hasKey(index, this.#keys[2 * ofRun + 1]!, this.#keys[2 * ofRun]!);
  }

  #append(node: NodeView): void {
    const { nrEntries } = node;
    const { words, bytes } = node.slab;
    words.set(this.#keys.subarray(0, 2 * this.count), node.base + KEYS + 2 * nrEntries);
    bytes.set(this.#values.bytes.subarray(0, this.count * this.#size), node.valueAt(nrEntries));
    node.nrEntries = nrEntries + this.count;
  }

  /** Keys of the run that the node has already. */
  #countOld(node: NodeView): number {
    let nrOld = 0;
    for (let j = 0; j < this.count; j++) {
      const index = node.lowerBound(this.#keys[2 * j + 1]!, this.#keys[2 * j]!);
      if (index >= 0 && this.#isEqual(node, index, j)) nrOld++;
    }
    return nrOld;
  }

  /** Gives up the values that are about to be overwritten. */
  #dropOld(node: NodeView): void {
    const { dec, equal } = this.#tree.valueType;
    if (dec === undefined) return;
    for (let j = 0; j < this.count; j++) {
      const index = node.lowerBound(this.#keys[2 * j + 1]!, this.#keys[2 * j]!);
      if (index < 0 || !this.#isEqual(node, index, j)) continue;
      const at = node.valueAt(index);
      if (!equal?.(node.slab, at, this.#values, j * this.#size)) dec(node.slab, at, 1);
    }
  }

  /** From the back: old entries move up by as many as new ones are still to come before them. */
  #mergeInPlace(node: NodeView, total: number): void {
    let old = node.nrEntries;
    let to = total;
    node.nrEntries = total;
    for (let j = this.count - 1; j >= 0; j--) {
      let from = old;
      while (from > 0 && !this.#isBelow(node, from - 1, j) && !this.#isEqual(node, from - 1, j)) from--;
      to -= old - from;
      node.moveEntries(from, to, old - from);
      old = from > 0 && this.#isEqual(node, from - 1, j) ? from - 1 : from;
      to--;
      this.#place(node, to, j);
    }
  }

  #place(node: NodeView, index: number, ofRun: number): void {
    const size = this.#size;
    const { words, bytes } = node.slab;
    const at = node.valueAt(index);
    const from = ofRun * size;
    node.setKey(index, this.#keys[2 * ofRun + 1]!, this.#keys[2 * ofRun]!);
    if (size === 8) {
      words[at >>> 2] = this.#values.words[from >>> 2]!;
      words[(at >>> 2) + 1] = this.#values.words[(from >>> 2) + 1]!;
      return;
    }
    for (let i = 0; i < size; i++) bytes[at + i] = this.#values.bytes[from + i]!;
  }

  /** Old and new entries go half into this leaf and half into a new one to its right. */
  #shareOut(node: NodeView, total: number): void {
    const { tm, spine, right, center: parent } = this.#tree;
    this.#mergeAside(node);
    const nrLeft = total >>> 1;
    right.base = tm.newBlock(NODE_VALIDATOR);
    right.copyGeometry(node);
    this.#fill(node, 0, nrLeft);
    this.#fill(right, nrLeft, total - nrLeft);
    parent.base = spine.parent;
    const index = Math.max(parent.lowerBound(node.keyHigh(0), node.keyLow(0)), 0);
    parent.openGap(index + 1, right.keyHigh(0), right.keyLow(0));
    parent.setChild(index + 1, tm.blockManager.blockAt(right.base));
    tm.unlock(right.base);
  }

  #fill(node: NodeView, from: number, count: number): void {
    const size = this.#size;
    const { words, bytes } = node.slab;
    node.nrEntries = count;
    words.set(this.#allKeys.subarray(2 * from, 2 * (from + count)), node.base + KEYS);
    bytes.set(this.#allValues.subarray(from * size, (from + count) * size), node.valueAt(0));
  }

  /** Old and new entries in one sequence, in the scratch space: by turns a run of old ones and a run of new ones. */
  #mergeAside(node: NodeView): void {
    const { nrEntries, slab } = node;
    const { count } = this;
    const nodeKeys = node.base + KEYS;
    const nodeValues = node.valueAt(0);
    let old = 0;
    let j = 0;
    let to = 0;
    while (old < nrEntries || j < count) {
      const oldBegin = old;
      while (old < nrEntries && (j === count || this.#isBelow(node, old, j))) old++;
      this.#setAside(to, slab.words, nodeKeys + 2 * oldBegin, slab.bytes, nodeValues, oldBegin, old - oldBegin);
      to += old - oldBegin;
      const newBegin = j;
      let isOld = false;
      while (j < count && !isOld && (old === nrEntries || !this.#isBelow(node, old, j))) {
        isOld = old < nrEntries && this.#isEqual(node, old, j);
        if (isOld) old++;
        j++;
      }
      this.#setAside(to, this.#keys, 2 * newBegin, this.#values.bytes, 0, newBegin, j - newBegin);
      to += j - newBegin;
    }
  }

  #setAside(
    to: number,
    keys: Uint32Array,
    keysAt: number,
    values: Uint8Array,
    valuesAt: number,
    from: number,
    count: number,
  ): void {
    if (count === 0) return;
    const size = this.#size;
    this.#allKeys.set(keys.subarray(keysAt, keysAt + 2 * count), 2 * to);
    this.#allValues.set(values.subarray(valuesAt + from * size, valuesAt + (from + count) * size), to * size);
  }
}
