import { CorruptionError, joinKey, StateError, type U64 } from '../base/index.ts';
import { NodeView } from '../format/index.ts';
import type { BlockReader, TransactionManager } from '../transaction-manager/index.ts';
import { deleteTree } from './delete.ts';
import { createEmpty } from './empty.ts';
import { insertScratch } from './insert.ts';
import { edgeOf, findAtLeast, findAtMost, findExact, NOT_FOUND } from './lookup.ts';
import { overwriteLeaf } from './overwrite.ts';
import { PathPool } from './path-pool.ts';
import { type LeafRemoval, removeKey, removeLeaves } from './remove.ts';
import { wrongValueSize } from './spine.ts';
import { type Keys, type Root, TreeContext } from './tree-context.ts';
import type { ValueType } from './value-type.ts';

export interface BtreeOptions<V> {
  readonly valueType: ValueType<V>;
  /** Levels of nesting, 1 to 8. Default 1. With n levels each key is a list of n. */
  readonly levels?: number;
}

/** One entry, as look-ups by order answer it. `key` is that of the last level. */
export interface Entry<V> {
  readonly key: U64;
  readonly value: V;
}

/**
 * A kind of btree: u64 keys, nested to any of 1 to 8 levels, values of one fixed size. It holds no tree: a tree is its root, a block
 * number. Each update takes a root and answers the new one; the old root must not be used again (unless its count was raised first).
 *
 * Plain operations place and shape everything exactly as the Linux kernel does.
 *
 * Reading: O(log n), one block per level and no lock. Changing: the same blocks are shadowed, so up to two are allocated per node of
 * the path, once per transaction. A change that throws leaves the transaction broken; its owner rolls back.
 */
export class Btree<V> {
  readonly tm: TransactionManager;
  readonly levels: number;
  readonly valueType: ValueType<V>;
  /** For scans of the last level. */
  readonly paths: PathPool;
  /** Whether the last {@link insert} added a key, and did not overwrite. */
  insertWasNew = false;
  readonly #context: TreeContext<V>;
  readonly #node: NodeView;
  readonly #outcome = { wasNew: false };

  constructor(tm: TransactionManager, options: BtreeOptions<V>) {
    this.tm = tm;
    this.levels = options.levels ?? 1;
    this.valueType = options.valueType;
    this.paths = new PathPool(tm, options.valueType.size);
    this.#context = new TreeContext(tm, this.levels, options.valueType);
    this.#node = new NodeView(tm.blockManager.slab);
  }

  /** Makes an empty tree. One block. */
  empty(): Root {
    return createEmpty(this.#context, 0);
  }

  /** Gives up one reference to the whole tree; frees what nobody else refers to. Costs as many blocks as are freed. */
  delete(root: Root): void {
    deleteTree(this.#context, root);
  }

  /** The value under a key (a list of keys where there are levels), or `undefined`. */
  lookup(root: Root, keys: Keys, reader: BlockReader = this.tm): V | undefined {
    const at = this.find(root, keys, reader);
    return at < 0 ? undefined : this.valueType.read(this.tm.blockManager.slab, at);
  }

  has(root: Root, keys: Keys, reader: BlockReader = this.tm): boolean {
    return this.find(root, keys, reader) >= 0;
  }

  /**
   * Finds a value without reading it. Allocates nothing.
   *
   * @returns Its byte offset in the block manager's slab, valid until the next call of the block manager; -1 when it is not there.
   * @throws {CorruptionError} when a node on the path is not believable.
   * @throws {WouldBlockError} from a non-blocking reader, when a block is not in memory.
   */
  find(root: Root, keys: Keys, reader: BlockReader = this.tm): number {
    const context = this.#context;
    context.setKeys(keys);
    const last = this.#subRoot(root, this.levels - 1, reader);
    if (last < 0) return -1;
    const index = findExact(
      reader,
      this.#node,
      last,
      context.keyHigh[this.levels - 1]!,
      context.keyLow[this.levels - 1]!,
    );
    return index === NOT_FOUND ? -1 : this.#valueAt(index);
  }

  /** The root of a sub-tree: that of level `keys.length`, below these keys. `undefined` when there is none. */
  subTree(root: Root, keys: readonly U64[], reader: BlockReader = this.tm): Root | undefined {
    this.#context.setKeys(keys, keys.length);
    const sub = this.#subRoot(root, keys.length, reader);
    return sub < 0 ? undefined : sub;
  }

  /** The entry with the smallest last-level key at least the wanted one; upper keys exactly. */
  lookupNext(root: Root, keys: Keys, reader: BlockReader = this.tm): Entry<V> | undefined {
    return this.#nearest(root, keys, findAtLeast, reader);
  }

  /** The entry with the largest last-level key at most the wanted one; upper keys exactly. */
  lookupPrevious(root: Root, keys: Keys, reader: BlockReader = this.tm): Entry<V> | undefined {
    return this.#nearest(root, keys, findAtMost, reader);
  }

  /** The smallest key of the first level, or of the sub-tree under `above`. `undefined` when it is empty or not there. */
  firstKey(root: Root, above: readonly U64[] = []): U64 | undefined {
    return this.#edgeKey(root, above, true);
  }

  /** The largest key of the first level, or of the sub-tree under `above`. */
  lastKey(root: Root, above: readonly U64[] = []): U64 | undefined {
    return this.#edgeKey(root, above, false);
  }

  /**
   * Inserts or overwrites. Sub-trees of upper levels are made where missing. References that the value stands for pass to the tree.
   * Whether the key was new is in {@link insertWasNew}.
   * @returns The new root.
   */
  insert(root: Root, keys: Keys, value: V): Root {
    const context = this.#context;
    context.setKeys(keys);
    this.valueType.write(context.scratch, 0, value);
    return this.#guard(() => {
      const newRoot = insertScratch(context, root, this.#outcome);
      this.insertWasNew = this.#outcome.wasNew;
      return newRoot;
    });
  }

  /** {@link insert}, answering also whether the key was new. */
  insertNotify(root: Root, keys: Keys, value: V): { root: Root; wasNew: boolean } {
    const newRoot = this.insert(root, keys, value);
    return { root: newRoot, wasNew: this.insertWasNew };
  }

  /**
   * Removes a key. Sub-trees that become empty stay.
   * @throws {StateError} when the key is not there; nothing has changed then.
   */
  remove(root: Root, keys: Keys): Root {
    // The kernel's removal shadows and merges its way down before it knows that a key is missing, so look first.
    if (this.find(root, keys) < 0) throw new StateError(`Cannot remove key ${String(keys)}: it is not in the tree`);
    this.#context.setKeys(keys);
    return this.#guard(() => {
      const newRoot = removeKey(this.#context, root);
      if (newRoot === undefined) {
        throw new CorruptionError(
          `Cannot remove key ${String(keys)}: it was found and then lost, the tree is out of order`,
          {
            block: root,
            kind: 'btree_node',
          },
        );
      }
      return newRoot;
    });
  }

  /**
   * Removes keys of one sub-tree (of a tree of one level: the tree itself) as the kernel's remove_leaves does: from `begin` up to `end`,
   * not included, stopping at the first gap. Callers look up the next key and call again.
   * @returns The new root and the number of entries removed.
   */
  removeLeaves(root: Root, begin: U64, end: U64): { root: Root; count: number } {
    if (this.levels !== 1) throw new TypeError('Cannot remove leaves: a tree of one level is wanted, use the sub-tree');
    const context = this.#context;
    context.setKeys(end);
    const endHigh = context.keyHigh[0]!;
    const endLow = context.keyLow[0]!;
    context.setKeys(begin);
    const removal: LeafRemoval = {
      root,
      high: context.keyHigh[0]!,
      low: context.keyLow[0]!,
      exhausted: false,
      count: 0,
    };
    return this.#guard(() => {
      removeLeaves(context, removal, endHigh, endLow);
      return { root: removal.root, count: removal.count };
    });
  }

  /**
   * Gives write access to the value of a key that exists, in a tree of one level: `change(at)` gets its byte offset in the slab and may
   * write there. For values that refer to nothing.
   * @returns The new root, or `undefined` when the key is missing.
   */
  overwrite(root: Root, key: U64, change: (at: number) => void): Root | undefined {
    const context = this.#context;
    context.setKeys(key);
    return this.#guard(() => {
      const index = overwriteLeaf(context, root);
      if (index < 0) return undefined;
      change(context.node.valueAt(index));
      context.spine.end();
      return context.spine.root;
    });
  }

  /** The root of level `depth`, below the context's keys; -1 when there is none. */
  #subRoot(root: Root, depth: number, reader: BlockReader): number {
    const { keyHigh, keyLow } = this.#context;
    const node = this.#node;
    let block = root;
    for (let level = 0; level < depth; level++) {
      const index = findExact(reader, node, block, keyHigh[level]!, keyLow[level]!);
      if (index === NOT_FOUND) return -1;
      if (node.valueSize !== 8) throw wrongValueSize(this.tm.blockManager.blockAt(node.base), node, 8);
      block = node.childAt(index);
    }
    return block;
  }

  #valueAt(index: number): number {
    const node = this.#node;
    if (node.valueSize !== this.valueType.size) {
      throw wrongValueSize(this.tm.blockManager.blockAt(node.base), node, this.valueType.size);
    }
    return node.valueAt(index);
  }

  #nearest(root: Root, keys: Keys, find: typeof findAtLeast, reader: BlockReader): Entry<V> | undefined {
    const context = this.#context;
    context.setKeys(keys);
    const last = this.#subRoot(root, this.levels - 1, reader);
    if (last < 0) return undefined;
    const node = this.#node;
    const index = find(reader, node, last, context.keyHigh[this.levels - 1]!, context.keyLow[this.levels - 1]!);
    if (index === NOT_FOUND) return undefined;
    const key = joinKey(node.keyHigh(index), node.keyLow(index));
    return { key, value: this.valueType.read(node.slab, this.#valueAt(index)) };
  }

  #edgeKey(root: Root, above: readonly U64[], first: boolean): U64 | undefined {
    if (above.length >= this.levels)
      throw new TypeError(`Cannot use ${above.length} keys: the tree has ${this.levels} levels`);
    const sub = this.subTree(root, above);
    if (sub === undefined) return undefined;
    const node = this.#node;
    const index = edgeOf(this.tm, node, sub, first);
    return index === NOT_FOUND ? undefined : joinKey(node.keyHigh(index), node.keyLow(index));
  }

  /** Whatever is thrown within a change leaves it half done. */
  #guard<R>(change: () => R): R {
    try {
      return change();
    } catch (error) {
      this.tm.markBroken(error);
      throw error;
    }
  }
}
