import { CorruptionError, compareHalves } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';
import { wrongValueSize } from './spine.ts';
import type { Root } from './tree-context.ts';

/** No believable tree is this high. */
export const MAX_HEIGHT = 64;
/** Leaves read ahead at the first step from leaf to leaf; twice as many at each later one, up to the largest. */
const FIRST_WINDOW = 4;
const LARGEST_WINDOW = 64;

export const FORWARD = 1;
export const BACKWARD = -1;

/** Which way a walk in key order goes. */
export type Direction = typeof FORWARD | typeof BACKWARD;

/**
 * The way from the root of a one-level tree to one of its leaves, by block numbers and indexes, without a lock. It moves from leaf
 * to leaf in key order, and reads leaves ahead once it does.
 *
 * Every leaf's keys are above (or below, going backward) those of the one before, or the walk ends with a `CorruptionError`: so it
 * ends on any device, after at most as many leaves as there are blocks.
 *
 * After an exception the path is nowhere, and has to be sought again.
 */
export class TreePath {
  readonly reader: BlockReader;
  /** Moved to the leaf. Valid until the next call of the block manager; {@link touch} makes it valid again. */
  readonly node: NodeView;
  /** Entries in the leaf. */
  nrEntries = 0;
  readonly #valueSize: number;
  // Plain arrays: a path is made for each range, and two typed arrays would cost as much as reading ten entries.
  readonly #blocks: number[] = [];
  readonly #indexes: number[] = [];
  /** Index of the leaf in `#blocks`, or -1. */
  #height = -1;
  #firstHigh = 0;
  #firstLow = 0;
  #lastHigh = 0;
  #lastLow = 0;
  #window = FIRST_WINDOW;
  /** Index in the leaf's parent up to which leaves were read ahead. */
  #ahead = 0;

  /** @param valueSize - Bytes of a value; a leaf of another size is a `CorruptionError`. */
  constructor(reader: BlockReader, valueSize: number) {
    this.reader = reader;
    this.node = new NodeView(reader.blockManager.slab);
    this.#valueSize = valueSize;
  }

  /** Block number of the leaf, or -1. */
  get leafBlock(): number {
    return this.#height < 0 ? -1 : this.#blocks[this.#height]!;
  }

  /** Block numbers from the root to the leaf. */
  get path(): number[] {
    return this.#blocks.slice(0, this.#height + 1);
  }

  /** Moves {@link node} to the leaf again, which other users of the block manager may have evicted or moved. */
  touch(): void {
    const block = this.#blocks[this.#height]!;
    if (!this.reader.blockManager.isAt(this.node.base, block)) this.node.base = this.reader.read(block, NODE_VALIDATOR);
  }

  /** Moves to the first (or last) leaf. False when the tree is empty. */
  seekEdge(root: Root, first: boolean): boolean {
    this.#restart();
    this.#descend(root, 0, first);
    return this.nrEntries > 0;
  }

  /** The index of the smallest key at least the wanted one, or -1. Moves to its leaf. */
  seekAtLeast(root: Root, high: number, low: number): number {
    if (!this.#seek(root, high, low)) return -1;
    const index = this.node.lowerBound(high, low);
    const from = index >= 0 && this.node.hasKey(index, high, low) ? index : index + 1;
    if (from < this.nrEntries) return from;
    return this.nextLeaf() ? 0 : -1;
  }

  /** The index of the largest key at most the wanted one, or -1. Moves to its leaf. */
  seekAtMost(root: Root, high: number, low: number): number {
    if (!this.#seek(root, high, low)) return -1;
    const index = this.node.lowerBound(high, low);
    if (index >= 0) return index;
    return this.previousLeaf() ? this.nrEntries - 1 : -1;
  }

  /** Moves to the next leaf. False at the end; then the path is nowhere. */
  nextLeaf(): boolean {
    const high = this.#lastHigh;
    const low = this.#lastLow;
    if (!this.#step(FORWARD)) return false;
    if (compareHalves(this.#firstHigh, this.#firstLow, high, low) <= 0) throw this.#outOfOrder();
    return true;
  }

  /** Moves to the previous leaf. False at the beginning; then the path is nowhere. */
  previousLeaf(): boolean {
    const high = this.#firstHigh;
    const low = this.#firstLow;
    if (!this.#step(BACKWARD)) return false;
    if (compareHalves(this.#lastHigh, this.#lastLow, high, low) >= 0) throw this.#outOfOrder();
    return true;
  }

  #restart(): void {
    this.#height = -1;
    this.#window = FIRST_WINDOW;
    this.#ahead = 0;
  }

  #step(direction: Direction): boolean {
    const { node, reader } = this;
    const leaf = this.#height;
    this.#height = -1;
    for (let level = leaf - 1; level >= 0; level--) {
      node.base = reader.read(this.#blocks[level]!, NODE_VALIDATOR);
      const index = this.#indexes[level]! + direction;
      if (index < 0 || index >= node.nrEntries) continue;
      this.#indexes[level] = index;
      const child = node.childAt(index);
      if (level === leaf - 1) this.#readAhead(index, direction);
      this.#descend(child, level + 1, direction === FORWARD);
      return true;
    }
    return false;
  }

  /** Goes down the first (or last) children to a leaf. */
  #descend(top: number, topLevel: number, first: boolean): void {
    const { node, reader } = this;
    let block = top;
    for (let level = topLevel; level < MAX_HEIGHT; level++) {
      this.#blocks[level] = block;
      node.base = reader.read(block, NODE_VALIDATOR);
      if (node.isLeaf) {
        this.#enterLeaf(level);
        return;
      }
      const index = first ? 0 : node.nrEntries - 1;
      this.#indexes[level] = index;
      this.#ahead = index;
      block = node.childAt(index);
    }
    throw this.#tooHigh();
  }

  /** Goes down to the leaf where the key belongs. False when the tree is empty. */
  #seek(root: Root, high: number, low: number): boolean {
    const { node, reader } = this;
    this.#restart();
    let block = root;
    for (let level = 0; level < MAX_HEIGHT; level++) {
      this.#blocks[level] = block;
      node.base = reader.read(block, NODE_VALIDATOR);
      if (node.isLeaf) {
        this.#enterLeaf(level);
        return this.nrEntries > 0;
      }
      const index = Math.max(node.lowerBound(high, low), 0);
      this.#indexes[level] = index;
      this.#ahead = index;
      block = node.childAt(index);
    }
    throw this.#tooHigh();
  }

  #enterLeaf(level: number): void {
    const { node } = this;
    const { nrEntries } = node;
    const block = this.#blocks[level]!;
    if (node.valueSize !== this.#valueSize) throw wrongValueSize(block, node, this.#valueSize);
    this.nrEntries = nrEntries;
    if (nrEntries > 0) {
      this.#firstHigh = node.keyHigh(0);
      this.#firstLow = node.keyLow(0);
      this.#lastHigh = node.keyHigh(nrEntries - 1);
      this.#lastLow = node.keyLow(nrEntries - 1);
    }
    this.#height = level;
    const ordered = compareHalves(this.#firstHigh, this.#firstLow, this.#lastHigh, this.#lastLow) <= 0;
    if (nrEntries > 0 ? !ordered : level > 0) throw this.#outOfOrder();
  }

  /**
   * Reads the next leaves of this parent, in `node`, into the cache, when the walk has come to the end of those read ahead before. A seek alone
   * reads nothing ahead, so a short range costs no more than its leaves.
   */
  #readAhead(index: number, direction: Direction): void {
    if ((index - this.#ahead) * direction <= 0) return;
    const { node, reader } = this;
    const { blockManager } = reader;
    const count = Math.min(this.#window, blockManager.capacity >>> 3);
    const edge = direction === FORWARD ? Math.min(index + count, node.nrEntries) : Math.max(index - count, -1);
    let missing: number[] | undefined;
    for (let i = index; i !== edge; i += direction) {
      const child = node.childAt(i);
      if (blockManager.isCached(child)) continue;
      missing ??= [];
      missing.push(child);
    }
    this.#ahead = edge - direction;
    this.#window = Math.min(2 * this.#window, LARGEST_WINDOW);
    if (missing !== undefined && missing.length > 1) blockManager.prefetch(missing, NODE_VALIDATOR);
  }

  #outOfOrder(): CorruptionError {
    const block = this.leafBlock;
    const { path } = this;
    this.#height = -1;
    const why = this.nrEntries === 0 ? 'it has no entries' : 'its keys are not beyond those of the leaf before';
    return new CorruptionError(`Cannot go on at btree_node block ${block}: ${why}`, {
      block,
      kind: 'btree_node',
      path,
      field: this.nrEntries === 0 ? 'nrEntries' : 'keys',
    });
  }

  #tooHigh(): CorruptionError {
    const block = this.#blocks[0]!;
    return new CorruptionError(`Cannot search tree ${block}: it is higher than ${MAX_HEIGHT} nodes, or has a cycle`, {
      block,
      kind: 'btree_node',
      path: this.#blocks.slice(),
      field: 'height',
    });
  }
}
