import { assert, highHalf, lowHalf, type U64 } from '../base/index.ts';
import type { Btree } from './btree.ts';
import { PutBuffer } from './put-buffer.ts';
import { SortedMerge } from './sorted-merge.ts';
import { changeSubTree } from './sub-tree.ts';
import { type Root, TreeContext } from './tree-context.ts';

/** Entries that are sorted and merged together, and the most memory that they take. */
const MAX_BATCH = 16384;
const MAX_BATCH_BYTES = 1 << 20;

/**
 * Inserts (or overwrites) many entries: some thousands are sorted and merged at a time, in one descent for each leaf that takes some. Any order is
 * correct; in order of their keys, or where many go into each leaf, they cost least. Leaves that a run of new keys fills come out full.
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
  const batches = new Batches(new TreeContext(tm, 1, valueType), entries[Symbol.iterator]());
  try {
    batches.pull();
    const first = batches.next;
    if (first === undefined) return { root, nrNew: 0 };
    let newRoot = root;
    if (above.length > 0 && tree.subTree(root, above) === undefined) {
      newRoot = tree.insert(root, [...above, first[0]], first[1]);
      batches.nrNew++;
      batches.pull();
    }
    const changed = changeSubTree(new TreeContext(tm, levels, valueType), newRoot, above, (sub) => batches.merge(sub));
    assert(changed !== undefined, 'the sub-tree is there');
    return { root: changed, nrNew: batches.nrNew };
  } catch (error) {
    tm.markBroken(error);
    throw error;
  } finally {
    batches.end();
  }
}

/** Entries on their way from their source into the leaves of one (sub-)tree. */
class Batches<V> {
  /** The next entry; `undefined` at the end. */
  next: readonly [key: U64, value: V] | undefined;
  nrNew = 0;
  readonly #tree: TreeContext<V>;
  readonly #source: Iterator<readonly [key: U64, value: V]>;
  readonly #buffer: PutBuffer;
  readonly #merge: SortedMerge<V>;
  readonly #most: number;

  constructor(tree: TreeContext<V>, source: Iterator<readonly [key: U64, value: V]>) {
    this.#tree = tree;
    this.#source = source;
    const { size } = tree.valueType;
    this.#buffer = new PutBuffer(size);
    this.#merge = new SortedMerge(tree);
    this.#most = Math.min(MAX_BATCH, Math.ceil(MAX_BATCH_BYTES / PutBuffer.bytesPerEntry(size)));
  }

  /** Takes the next entry from the source. */
  pull(): void {
    const { done, value } = this.#source.next();
    this.next = done === true ? undefined : value;
  }

  /** Lets go of a source that has not come to its end. */
  end(): void {
    if (this.next !== undefined) this.#source.return?.();
  }

  /** Inserts all entries and answers the new root. */
  merge(root: Root): Root {
    let newRoot = root;
    while (this.next !== undefined) {
      this.#gather();
      newRoot = this.#merge.merge(newRoot, this.#buffer);
      this.nrNew += this.#merge.nrNew;
    }
    return newRoot;
  }

  #gather(): void {
    const { valueType } = this.#tree;
    const { dec, equal } = valueType;
    const buffer = this.#buffer;
    buffer.clear();
    while (this.next !== undefined && buffer.count < this.#most) {
      const [key, value] = this.next;
      const high = highHalf(key);
      const low = lowHalf(key);
      valueType.write(buffer.values, buffer.end, value);
      buffer.push(high, low);
      this.pull();
    }
    // A value that is overwritten before it has reached the tree is given up as if it had.
    buffer.putInOrder((at, by) => {
      if (dec !== undefined && !equal?.(buffer.values, at, buffer.values, by)) dec(buffer.values, at, 1);
    });
  }
}
