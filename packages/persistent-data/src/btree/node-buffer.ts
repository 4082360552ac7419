import { Slab } from '../base/index.ts';
import {
  METADATA_BLOCK_SIZE,
  maxEntriesFor,
  NODE_FLAG_INTERNAL,
  NODE_FLAG_LEAF,
  NODE_HEADER,
  NODE_VALIDATOR,
  NodeView,
  WORDS_PER_BLOCK,
} from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { moveToRight } from './node-moves.ts';

const KEYS = NODE_HEADER.size / 4;

/** Gets each node that a {@link NodeBuffer} has written: the node as it was built (not the block), and its block number. */
export type NodeSink = (node: NodeView, block: number) => void;

/**
 * One level of a tree that is being built from sorted entries. Up to two nodes' worth of them are kept, outside the cache; a full node
 * is written once a second one is full as well, so that at the end what remains can be halved and no node is less than half full.
 */
export class NodeBuffer {
  /** Holds the entries: {@link append} answers offsets in it. Two nodes, as they are on the disk. */
  readonly slab: Slab;
  readonly maxEntries: number;
  readonly #tm: TransactionManager;
  readonly #sink: NodeSink;
  readonly #valueSize: number;
  readonly #flags: number;
  /** The node that is full already, if {@link #hasFull}, and the one that is being filled. */
  #full: NodeView;
  #open: NodeView;
  #hasFull = false;
  #nrOpen = 0;
  /** Word offset of the open node's keys, byte offset of its values. */
  #keysAt: number;
  #valuesAt: number;

  constructor(tm: TransactionManager, kind: { readonly isLeaf: boolean; readonly valueSize: number }, sink: NodeSink) {
    this.#tm = tm;
    this.#sink = sink;
    this.#valueSize = kind.valueSize;
    this.#flags = kind.isLeaf ? NODE_FLAG_LEAF : NODE_FLAG_INTERNAL;
    this.maxEntries = maxEntriesFor(kind.valueSize);
    this.slab = Slab.ofSize(2 * METADATA_BLOCK_SIZE);
    this.#full = new NodeView(this.slab, 0);
    this.#open = new NodeView(this.slab, WORDS_PER_BLOCK);
    for (const node of [this.#full, this.#open]) node.setHeader(this.#flags, 0, kind.valueSize);
    this.#keysAt = this.#open.base + KEYS;
    this.#valuesAt = this.#open.valueAt(0);
  }

  /** Entries that are not written yet. */
  get pending(): number {
    return this.#nrOpen + (this.#hasFull ? this.maxEntries : 0);
  }

  /** Adds an entry and answers the byte offset, in {@link slab}, where the caller writes its value at once. */
  append(high: number, low: number): number {
    if (this.#nrOpen === this.maxEntries) this.#turn();
    const index = this.#nrOpen++;
    const word = this.#keysAt + 2 * index;
    this.slab.words[word] = low;
    this.slab.words[word + 1] = high;
    return this.#valuesAt + index * this.#valueSize;
  }

  /** Writes what is pending: one node, or two with half of the entries each. */
  flush(): void {
    const nrOpen = this.#nrOpen;
    this.#open.nrEntries = nrOpen;
    if (this.#hasFull) {
      if (nrOpen > 0) moveToRight(this.#full, this.#open, this.maxEntries - ((this.maxEntries + nrOpen) >>> 1));
      this.#write(this.#full);
      this.#hasFull = false;
    }
    if (this.#open.nrEntries > 0) this.#write(this.#open);
    this.#nrOpen = 0;
  }

  /** Takes back what is pending, when that is less than a node: calls `each` with every entry, its value at `at` in `slab`. */
  takeBack(each: (slab: Slab, high: number, low: number, at: number) => void): void {
    const copy = new Slab(this.slab.words.slice().buffer);
    const node = new NodeView(copy, this.#open.base);
    const count = this.#nrOpen;
    this.#nrOpen = 0;
    for (let i = 0; i < count; i++) each(copy, node.keyHigh(i), node.keyLow(i), node.valueAt(i));
  }

  /** The open node is full: it becomes the full one, and the full one before it is written. */
  #turn(): void {
    this.#open.nrEntries = this.maxEntries;
    if (this.#hasFull) this.#write(this.#full);
    const emptied = this.#full;
    this.#full = this.#open;
    this.#open = emptied;
    this.#hasFull = true;
    this.#nrOpen = 0;
    this.#keysAt = emptied.base + KEYS;
    this.#valuesAt = emptied.valueAt(0);
  }

  #write(node: NodeView): void {
    const { blockManager } = this.#tm;
    const base = this.#tm.newBlock(NODE_VALIDATOR);
    const { nrEntries } = node;
    const block = blockManager.blockAt(base);
    const target = new NodeView(blockManager.slab, base);
    target.setHeader(this.#flags, nrEntries, this.#valueSize);
    const keys = node.base + KEYS;
    blockManager.slab.words.set(this.slab.words.subarray(keys, keys + 2 * nrEntries), base + KEYS);
    blockManager.slab.bytes.set(this.slab.bytes.subarray(node.valueAt(0), node.valueAt(nrEntries)), target.valueAt(0));
    this.#tm.unlock(base);
    this.#sink(node, block);
  }
}
