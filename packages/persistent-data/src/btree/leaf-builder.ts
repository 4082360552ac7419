import { compareHalves, joinKey, type Slab } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { NodeBuffer } from './node-buffer.ts';
import { wrongValueSize } from './spine.ts';
import type { ValueType } from './value-type.ts';

/** A leaf that a builder wrote. One reference to it belongs to whoever got it from the builder. */
export interface BuiltLeaf {
  readonly block: number;
  readonly nrEntries: number;
  /** The first and the last key, in halves. */
  readonly firstHigh: number;
  readonly firstLow: number;
  readonly lastHigh: number;
  readonly lastLow: number;
}

/**
 * Builds the leaves of a tree from sorted entries: full ones, except that the last two share what is left. Memory: two nodes.
 *
 * Leaves that were built before can be appended instead of entries; then the new tree shares them. One that is less than a third full, or that
 * would leave such a one beside it, is taken apart, and its entries are copied.
 */
export class LeafBuilder<V> {
  readonly #tm: TransactionManager;
  readonly #valueType: ValueType<V>;
  readonly #sink: (leaf: BuiltLeaf) => void;
  readonly #buffer: NodeBuffer;
  readonly #minimum: number;
  /** A shared leaf that is kept back, in case too few entries follow it to fill a leaf of their own. */
  #held: BuiltLeaf | undefined;
  #lastHigh = -1;
  #lastLow = 0;
  #nrEntries = 0;

  /** @param sink - Gets the leaves in order; their references pass to it. */
  constructor(tm: TransactionManager, valueType: ValueType<V>, sink: (leaf: BuiltLeaf) => void) {
    this.#tm = tm;
    this.#valueType = valueType;
    this.#sink = sink;
    this.#buffer = new NodeBuffer(tm, { isLeaf: true, valueSize: valueType.size }, (node, block) => {
      this.#passHeld();
      sink(describe(node, block));
    });
    this.#minimum = Math.floor(this.#buffer.maxEntries / 3);
  }

  /** Entries added so far, those of shared leaves as well. */
  get nrEntries(): number {
    return this.#nrEntries;
  }

  /** Adds an entry. The references that the value stands for pass to the leaf. @throws {RangeError} when the keys do not rise. */
  add(keyHigh: number, keyLow: number, value: V): void {
    this.#advance(keyHigh, keyLow);
    const at = this.#buffer.append(keyHigh, keyLow);
    this.#valueType.write(this.#buffer.slab, at, value);
  }

  /** {@link add} with the value's bytes, at byte offset `at` of `slab`. */
  addRaw(keyHigh: number, keyLow: number, slab: Slab, at: number): void {
    this.#advance(keyHigh, keyLow);
    this.#copyIn(keyHigh, keyLow, slab, at);
  }

  /**
   * Appends leaves that were built before, raising their counts: they stay with their owner as well.
   * @throws {RangeError} when their keys are not above those added before.
   */
  addLeaves(leaves: Iterable<BuiltLeaf>): void {
    for (const leaf of leaves) {
      const { firstHigh, firstLow } = leaf;
      if (compareHalves(firstHigh, firstLow, this.#lastHigh, this.#lastLow) <= 0)
        this.#refuseOrder(firstHigh, firstLow);
      const { pending } = this.#buffer;
      if (leaf.nrEntries < this.#minimum || (pending > 0 && pending < this.#minimum)) {
        this.#copyLeaf(leaf, true);
        continue;
      }
      this.#lastHigh = leaf.lastHigh;
      this.#lastLow = leaf.lastLow;
      this.#nrEntries += leaf.nrEntries;
      this.#buffer.flush();
      this.#passHeld();
      this.#held = leaf;
    }
  }

  /** Writes what is left. */
  finish(): void {
    const held = this.#held;
    const { pending } = this.#buffer;
    if (held !== undefined && pending > 0 && pending < this.#minimum) {
      this.#held = undefined;
      const tail: (() => void)[] = [];
      this.#buffer.takeBack((slab, high, low, at) => tail.push(() => this.#copyIn(high, low, slab, at)));
      this.#copyLeaf(held, false);
      for (const copy of tail) copy();
    }
    this.#buffer.flush();
    this.#passHeld();
  }

  #advance(high: number, low: number): void {
    if (high < this.#lastHigh || (high === this.#lastHigh && low <= this.#lastLow)) this.#refuseOrder(high, low);
    this.#lastHigh = high;
    this.#lastLow = low;
    this.#nrEntries++;
  }

  #refuseOrder(high: number, low: number): never {
    const found = `key ${joinKey(high, low)} follows ${joinKey(this.#lastHigh, this.#lastLow)}`;
    throw new RangeError(`Cannot build a tree: ${found}, rising keys are wanted`);
  }

  #copyIn(high: number, low: number, slab: Slab, from: number): void {
    const { size } = this.#valueType;
    const at = this.#buffer.append(high, low);
    const { bytes, words } = this.#buffer.slab;
    if (size === 8) {
      words[at >>> 2] = slab.words[from >>> 2]!;
      words[(at >>> 2) + 1] = slab.words[(from >>> 2) + 1]!;
      return;
    }
    for (let i = 0; i < size; i++) bytes[at + i] = slab.bytes[from + i]!;
  }

  #passHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#tm.inc(held.block);
    this.#sink(held);
  }

  /** Adds a leaf's entries one by one: its values are referred to once more. `fresh` is false when they were added already. */
  #copyLeaf(leaf: BuiltLeaf, fresh: boolean): void {
    const { blockManager } = this.#tm;
    const base = this.#tm.readLock(leaf.block, NODE_VALIDATOR);
    try {
      const node = new NodeView(blockManager.slab, base);
      const { nrEntries } = node;
      if (node.valueSize !== this.#valueType.size) throw wrongValueSize(leaf.block, node, this.#valueType.size);
      this.#valueType.inc?.(node.slab, node.valueAt(0), nrEntries);
      for (let i = 0; i < nrEntries; i++) {
        if (fresh) this.#advance(node.keyHigh(i), node.keyLow(i));
        this.#copyIn(node.keyHigh(i), node.keyLow(i), node.slab, node.valueAt(i));
      }
    } finally {
      this.#tm.unlock(base);
    }
  }
}

function describe(node: NodeView, block: number): BuiltLeaf {
  const { nrEntries } = node;
  return {
    block,
    nrEntries,
    firstHigh: node.keyHigh(0),
    firstLow: node.keyLow(0),
    lastHigh: node.keyHigh(nrEntries - 1),
    lastLow: node.keyLow(nrEntries - 1),
  };
}

/** Gives up the references to leaves that were built to be shared; frees those that no tree took. */
export function releaseLeaves<V>(tm: TransactionManager, valueType: ValueType<V>, leaves: Iterable<BuiltLeaf>): void {
  for (const { block } of leaves) {
    if (valueType.dec !== undefined && !tm.isShared(block)) {
      const base = tm.readLock(block, NODE_VALIDATOR);
      const node = new NodeView(tm.blockManager.slab, base);
      valueType.dec(node.slab, node.valueAt(0), node.nrEntries);
      tm.unlock(base);
    }
    tm.dec(block);
  }
}
