import { assert, highHalf, lowHalf, type U64 } from '../base/index.ts';
import type { Btree } from './btree.ts';
import { LeafMerge } from './leaf-merge.ts';
import { makeRoom, splitBeneath } from './split.ts';
import { changeSubTree } from './sub-tree.ts';
import { type Root, TreeContext } from './tree-context.ts';

/**
 * Inserts (or overwrites) many entries, in one descent for each leaf that takes some: for entries in order of their keys. Where keys do not
 * rise a new descent begins, so any order is correct. Leaves that a run of new keys fills come out full.
 *
 * The tree's shape differs from what inserting the keys one by one gives. References that values stand for pass to the tree.
 *
 * @param entries - Read as they are needed, while blocks are locked: what makes them must not use this transaction manager.
 * @param above - In a tree of n levels: the n - 1 upper keys of the sub-tree. It is made if it is missing.
 * @returns The new root, and how many keys were new.
 * @throws {TypeError | RangeError} when a key is no u64, or a value is none of the tree's type; the transaction is broken then.
 */
export function insertMany<V>(
  tree: Btree<V>,
  root: Root,
  entries: Iterable<readonly [key: U64, value: V]>,
  above: readonly U64[] = [],
): { root: Root; nrNew: number } {
  const { tm, levels, valueType } = tree;
  if (above.length !== levels - 1)
    throw new TypeError(`Cannot use ${above.length} upper keys: the tree has ${levels} levels`);
  const source = entries[Symbol.iterator]();
  const batch = new EntryBatch(new TreeContext(tm, 1, valueType), source);
  try {
    batch.pull();
    if (batch.done) return { root, nrNew: 0 };
    let newRoot = root;
    if (above.length > 0 && tree.subTree(root, above) === undefined) {
      newRoot = tree.insert(root, [...above, batch.key], batch.value!);
      batch.nrNew++;
      batch.pull();
    }
    const changed = changeSubTree(new TreeContext(tm, levels, valueType), newRoot, above, (sub) => batch.run(sub));
    assert(changed !== undefined, 'the sub-tree is there');
    return { root: changed, nrNew: batch.nrNew };
  } catch (error) {
    tm.markBroken(error);
    throw error;
  } finally {
    if (!batch.done) source.return?.();
  }
}

/** Entries on their way from their source into the leaves of one (sub-)tree. */
class EntryBatch<V> {
  done = false;
  /** The next entry. */
  key: U64 = 0;
  value: V | undefined;
  nrNew = 0;
  readonly #tree: TreeContext<V>;
  readonly #source: Iterator<readonly [key: U64, value: V]>;
  readonly #merge: LeafMerge<V>;
  #high = 0;
  #low = 0;
  /** Where the current leaf's keys end. */
  #endHigh = 0;
  #endLow = 0;

  constructor(tree: TreeContext<V>, source: Iterator<readonly [key: U64, value: V]>) {
    this.#tree = tree;
    this.#source = source;
    this.#merge = new LeafMerge(tree);
  }

  /** Takes the next entry from the source. */
  pull(): void {
    const { done, value } = this.#source.next();
    this.done = done === true;
    if (this.done) return;
    this.key = value[0];
    this.value = value[1];
    this.#high = highHalf(this.key);
    this.#low = lowHalf(this.key);
  }

  /** Inserts all entries and answers the new root. */
  run(root: Root): Root {
    const { spine, node } = this.#tree;
    let newRoot = root;
    while (!this.done) {
      this.#descend(newRoot);
      // The top leaf has no parent to take a second leaf, so it gets what it has room for.
      const room = spine.hasParent ? node.maxEntries : node.maxEntries - node.nrEntries;
      this.#gather(room);
      this.nrNew += this.#merge.finish();
      newRoot = spine.root;
      spine.end();
    }
    return newRoot;
  }

  /** Takes entries from the source, as long as they belong to the current leaf, are in order, and are no more than `count`. */
  #gather(count: number): void {
    const merge = this.#merge;
    let high = this.#high;
    let low = this.#low;
    merge.begin();
    do {
      merge.add(high, low, this.value!);
      this.pull();
      if (this.done || merge.count === count) return;
      const rises = this.#high !== high ? this.#high > high : this.#low > low;
      if (!rises) return;
      high = this.#high;
      low = this.#low;
    } while (high !== this.#endHigh ? high < this.#endHigh : low < this.#endLow);
  }

  /**
   * As an insert does, goes down to the leaf for the next key, shadowing the way and splitting full internal nodes, so that the leaf's parent
   * has room for one more. Leaves the leaf in `tree.node`, and its end in `#endHigh` and `#endLow`.
   */
  #descend(root: Root): void {
    const tree = this.#tree;
    const { spine, node, center: parent } = tree;
    const type = tree.levelType(0);
    const high = this.#high;
    const low = this.#low;
    let block = root;
    let index = -1;
    let parentEndHigh = Number.POSITIVE_INFINITY;
    let parentEndLow = 0;
    this.#endHigh = parentEndHigh;
    this.#endLow = parentEndLow;
    spine.begin();
    for (;;) {
      spine.step(block, type);
      if (spine.hasParent) spine.patchParent(index);
      node.base = spine.current;
      if (node.nrEntries === node.maxEntries) {
        if (!spine.hasParent) splitBeneath(tree);
        else if (!node.isLeaf) {
          makeRoom(tree, type, index, high, low);
          // The parent's keys have changed, and with them where this node ends.
          parent.base = spine.parent;
          const next = Math.max(parent.lowerBound(high, low), 0) + 1;
          this.#endHigh = next < parent.nrEntries ? parent.keyHigh(next) : parentEndHigh;
          this.#endLow = next < parent.nrEntries ? parent.keyLow(next) : parentEndLow;
        }
        node.base = spine.current;
      }
      if (node.isLeaf) return;
      index = node.lowerBound(high, low);
      if (index < 0) {
        node.setKey(0, high, low);
        index = 0;
      }
      parentEndHigh = this.#endHigh;
      parentEndLow = this.#endLow;
      if (index + 1 < node.nrEntries) {
        this.#endHigh = node.keyHigh(index + 1);
        this.#endLow = node.keyLow(index + 1);
      }
      block = node.childAt(index);
    }
  }
}
