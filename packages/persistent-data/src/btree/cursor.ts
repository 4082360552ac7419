import { highHalf, joinKey, lowHalf, StateError, type U64 } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import type { NodeView } from '../format/index.ts';
import type { BlockReader, TransactionManager } from '../transaction-manager/index.ts';
import type { PathPool } from './path-pool.ts';
import type { Root } from './tree-context.ts';
import { TreePath } from './tree-path.ts';
import type { ValueType } from './value-type.ts';

/** The kind of tree that a walk goes over: a `Btree`, or what a sub-tree of one has. */
export interface TreeKind<V> {
  readonly tm: TransactionManager;
  readonly valueType: ValueType<V>;
  /** Where scans have their path from, so that its shape, and the code compiled for it, outlives them. */
  readonly paths?: PathPool;
}

export interface CursorOptions {
  /** Reads the blocks. Default: the tree's transaction manager. With a non-blocking clone, seek again after a `WouldBlockError`. */
  readonly reader?: BlockReader;
  /**
   * Promises that no block of this tree is changed while the cursor is used: a snapshot, or a committed root that somebody keeps.
   * Then changes elsewhere do not disturb it. Default false.
   */
  readonly frozen?: boolean;
}

/**
 * A place in a tree of one level (or in one sub-tree), which moves both ways in key order. It holds no lock, and so can be left lying.
 *
 * A seek reads one block per level, a step inside a leaf none and allocates nothing (some 10 ns); leaves are read ahead once it goes from
 * leaf to leaf. When anything was changed through the transaction manager since the last seek, the next use is a `StateError`; go on
 * with {@link reseek}.
 *
 * @example
 * ```ts
 * const cursor = new Cursor(tree, root);
 * for (let more = cursor.seek(100); more; more = cursor.next()) console.log(cursor.key, cursor.value);
 * ```
 */
export class Cursor<V> {
  /** Upper and lower half of the current key. */
  keyHigh = 0;
  keyLow = 0;
  readonly #tm: TransactionManager;
  readonly #valueType: ValueType<V>;
  readonly #path: TreePath;
  readonly #frozen: boolean;
  // What a step inside a leaf needs, at hand: the way through the path and its reader costs as much again as the step (bench/btree.ts).
  readonly #blockManager: BlockManager;
  readonly #node: NodeView;
  #root: Root;
  #version: number;
  /** Index in the leaf, or -1 when the cursor is at no entry. */
  #index = -1;
  #nrEntries = 0;
  #leafBlock = -1;

  /** Makes a cursor at no entry: seek first. `root` is the root of one level: in a tree of n levels that of a sub-tree. */
  constructor(tree: TreeKind<V>, root: Root, options: CursorOptions = {}) {
    const reader = options.reader ?? tree.tm;
    this.#tm = tree.tm;
    this.#valueType = tree.valueType;
    this.#root = root;
    this.#path = new TreePath(reader, tree.valueType.size);
    this.#blockManager = reader.blockManager;
    this.#node = this.#path.node;
    this.#frozen = options.frozen ?? false;
    this.#version = tree.tm.version;
  }

  /** Entries before the current one in its leaf; 0 when the cursor is at no entry. */
  get nrBefore(): number {
    return Math.max(this.#index, 0);
  }

  /** Entries after the current one in its leaf; 0 when the cursor is at no entry. */
  get nrAfter(): number {
    return this.#index < 0 ? 0 : this.#nrEntries - 1 - this.#index;
  }

  /** Entries of the current one's leaf whose keys are below this one. */
  nrBelow(key: U64): number {
    this.#returnToLeaf();
    const high = highHalf(key);
    const low = lowHalf(key);
    const index = this.#node.lowerBound(high, low);
    return index >= 0 && this.#node.hasKey(index, high, low) ? index : index + 1;
  }

  /** Whether the cursor is at an entry. */
  get valid(): boolean {
    return this.#index >= 0;
  }

  /** The current key. @throws {StateError} when the cursor is at no entry. */
  get key(): U64 {
    this.#refuseIfNowhere();
    return joinKey(this.keyHigh, this.keyLow);
  }

  /** Byte offset of the current value in the block manager's slab, valid until the next call of the block manager. */
  get valueAt(): number {
    this.#returnToLeaf();
    return this.#node.valueAt(this.#index);
  }

  /** The current value. @throws {StateError} when the cursor is at no entry, or the tree was changed. */
  get value(): V {
    const at = this.valueAt;
    return this.#valueType.read(this.#node.slab, at);
  }

  /** Moves to the first entry. False when the tree is empty; so are all moves that find nothing, and the cursor is at no entry then. */
  seekFirst(): boolean {
    this.#begin();
    return this.#path.seekEdge(this.#root, true) && this.#load(0);
  }

  seekLast(): boolean {
    this.#begin();
    return this.#path.seekEdge(this.#root, false) && this.#load(this.#path.nrEntries - 1);
  }

  /** Moves to the smallest key at least the wanted one. */
  seek(key: U64): boolean {
    return this.seekHalves(highHalf(key), lowHalf(key));
  }

  /** {@link seek} with the key in two halves. */
  seekHalves(high: number, low: number): boolean {
    this.#begin();
    const index = this.#path.seekAtLeast(this.#root, high, low);
    return index >= 0 && this.#load(index);
  }

  /** Moves to the largest key at most the wanted one. */
  seekAtMost(key: U64): boolean {
    this.#begin();
    const index = this.#path.seekAtMost(this.#root, highHalf(key), lowHalf(key));
    return index >= 0 && this.#load(index);
  }

  /**
   * Goes on in another version of the tree, at the smallest key at least the current one. Also after a change of the same tree; a cursor
   * that was at no entry stays so.
   */
  reseek(root: Root): boolean {
    const wasValid = this.#index >= 0;
    this.#root = root;
    this.#version = this.#tm.version;
    return wasValid && this.seekHalves(this.keyHigh, this.keyLow);
  }

  /** Takes another tree of the same kind, or another version of this one. The cursor is at no entry then. */
  restart(root: Root): void {
    this.#root = root;
    this.#version = this.#tm.version;
    this.#index = -1;
  }

  /** Moves to the next entry. False at the end: then the cursor is at no entry. */
  next(): boolean {
    if (!this.#frozen && this.#version !== this.#tm.version) this.#refuseChange();
    const index = this.#index;
    if (index < 0) return false;
    if (index + 1 < this.#nrEntries) return this.#stepTo(index + 1);
    this.#index = -1;
    return this.#path.nextLeaf() && this.#load(0);
  }

  /** Moves to the previous entry. False at the beginning: then the cursor is at no entry. */
  previous(): boolean {
    if (!this.#frozen && this.#version !== this.#tm.version) this.#refuseChange();
    const index = this.#index;
    if (index < 0) return false;
    if (index > 0) return this.#stepTo(index - 1);
    this.#index = -1;
    return this.#path.previousLeaf() && this.#load(this.#path.nrEntries - 1);
  }

  #begin(): void {
    if (!this.#frozen && this.#version !== this.#tm.version) this.#refuseChange();
    this.#index = -1;
  }

  /** To another entry of the leaf. */
  #stepTo(index: number): true {
    const node = this.#node;
    if (!this.#blockManager.isAt(node.base, this.#leafBlock)) this.#path.touch();
    this.#index = index;
    this.keyHigh = node.keyHigh(index);
    this.keyLow = node.keyLow(index);
    return true;
  }

  #load(index: number): true {
    const { node, nrEntries, leafBlock } = this.#path;
    this.#nrEntries = nrEntries;
    this.#leafBlock = leafBlock;
    this.#index = index;
    this.keyHigh = node.keyHigh(index);
    this.keyLow = node.keyLow(index);
    return true;
  }

  /** Makes sure that the node is at the leaf, which may have been evicted since. */
  #returnToLeaf(): void {
    this.#refuseIfNowhere();
    if (!this.#frozen && this.#version !== this.#tm.version) this.#refuseChange();
    if (!this.#blockManager.isAt(this.#node.base, this.#leafBlock)) this.#path.touch();
  }

  #refuseIfNowhere(): void {
    if (this.#index < 0) throw new StateError('Cannot read an entry: the cursor is at none, seek first');
  }

  #refuseChange(): never {
    throw new StateError('Cannot use the cursor: the tree changed under it, reseek with its root of now');
  }
}
