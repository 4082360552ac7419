import { assert, type Slab } from '../base/index.ts';
import { NODE_FLAG_LEAF, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type BuiltLeaf, LeafBuilder } from './leaf-builder.ts';
import { NodeBuffer } from './node-buffer.ts';
import type { Root } from './tree-context.ts';
import { type ValueType, writeU64 } from './value-type.ts';

/** The nodes of one level, on their way into the level above; that is made when there are two. */
interface Level {
  /** The level's own entries; none for the leaves, which a {@link LeafBuilder} has. */
  readonly buffer: NodeBuffer | undefined;
  nrNodes: number;
  firstHigh: number;
  firstLow: number;
  firstBlock: number;
}

/**
 * Builds a tree of one level from entries in rising order: a bulk load. Leaves and internal nodes come out full, except that the last two of
 * each level share what is left, so none but the root is less than half full.
 *
 * Memory: two nodes a level, whatever the size. Holds no lock between calls. Blocks are allocated as nodes fill up. When anything throws but
 * a `RangeError`, the transaction is broken.
 *
 * @example
 * ```ts
 * const builder = new BtreeBuilder(tm, PLAIN_U64);
 * for (let i = 0; i < 1e6; i++) builder.add(0, i, i * i);
 * const root = builder.finish();
 * ```
 */
export class BtreeBuilder<V> {
  readonly #tm: TransactionManager;
  readonly #leaves: LeafBuilder<V>;
  readonly #valueType: ValueType<V>;
  readonly #levels: Level[] = [newLevel(undefined)];
  #finished = false;

  constructor(tm: TransactionManager, valueType: ValueType<V>) {
    this.#tm = tm;
    this.#valueType = valueType;
    this.#leaves = new LeafBuilder(tm, valueType, (leaf) => this.#push(0, leaf.firstHigh, leaf.firstLow, leaf.block));
  }

  /** Entries added so far. */
  get nrEntries(): number {
    return this.#leaves.nrEntries;
  }

  /**
   * Adds an entry; the key comes in two 32-bit halves. The references that the value stands for pass to the tree.
   * @throws {RangeError} when the key is not above the one before; the builder can go on.
   */
  add(keyHigh: number, keyLow: number, value: V): void {
    this.#leaves.add(keyHigh, keyLow, value);
  }

  /** {@link add} with the value's bytes, at byte offset `at` of `slab`. */
  addRaw(keyHigh: number, keyLow: number, slab: Slab, at: number): void {
    this.#leaves.addRaw(keyHigh, keyLow, slab, at);
  }

  /** Appends leaves that a {@link LeafBuilder} wrote before, sharing them. @see LeafBuilder.addLeaves */
  addLeaves(leaves: Iterable<BuiltLeaf>): void {
    this.#leaves.addLeaves(leaves);
  }

  /** Writes what is left and answers the root: of a tree without entries an empty leaf. The builder is used up. */
  finish(): Root {
    assert(!this.#finished, 'a builder is finished once');
    this.#finished = true;
    this.#leaves.finish();
    for (let depth = 0; ; depth++) {
      const level = this.#levels[depth]!;
      level.buffer?.flush();
      if (level.nrNodes === 0) return this.#empty();
      if (level.nrNodes === 1) return level.firstBlock;
    }
  }

  #push(depth: number, high: number, low: number, block: number): void {
    const level = this.#levels[depth]!;
    level.nrNodes++;
    if (level.nrNodes === 1) {
      level.firstHigh = high;
      level.firstLow = low;
      level.firstBlock = block;
      return;
    }
    const parent = this.#parentOf(depth);
    if (level.nrNodes === 2) appendChild(parent, level.firstHigh, level.firstLow, level.firstBlock);
    appendChild(parent, high, low, block);
  }

  #parentOf(depth: number): NodeBuffer {
    const above = this.#levels[depth + 1];
    if (above?.buffer !== undefined) return above.buffer;
    const buffer = new NodeBuffer(this.#tm, { isLeaf: false, valueSize: 8 }, (node, block) =>
      this.#push(depth + 1, node.keyHigh(0), node.keyLow(0), block),
    );
    this.#levels.push(newLevel(buffer));
    return buffer;
  }

  #empty(): Root {
    const base = this.#tm.newBlock(NODE_VALIDATOR);
    const { blockManager } = this.#tm;
    new NodeView(blockManager.slab, base).setHeader(NODE_FLAG_LEAF, 0, this.#valueType.size);
    const block = blockManager.blockAt(base);
    this.#tm.unlock(base);
    return block;
  }
}

function newLevel(buffer: NodeBuffer | undefined): Level {
  return { buffer, nrNodes: 0, firstHigh: 0, firstLow: 0, firstBlock: 0 };
}

function appendChild(parent: NodeBuffer, high: number, low: number, block: number): void {
  const at = parent.append(high, low);

  writeU64(parent.slab, at, block);
}
