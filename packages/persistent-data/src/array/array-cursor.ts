import { type Slab, StateError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { Cursor, type CursorOptions, forEachEntry, type Root, readU64 } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView } from '../format/index.ts';
import type { BlockReader, TransactionManager } from '../transaction-manager/index.ts';
import type { PersistentArray } from './array.ts';
import { readArrayBlock } from './block-type.ts';

/** Array blocks that are read ahead together. */
const WINDOW = 64;

/**
 * A place in an array, which moves forward by one or by many. It holds no lock. When anything was changed through the transaction manager
 * since the cursor was made, its next use is a `StateError`, unless it is `frozen`.
 *
 * @example
 * ```ts
 * const cursor = new ArrayCursor(array, root);
 * for (let more = cursor.seek(0); more; more = cursor.next()) console.log(cursor.index, cursor.value);
 * ```
 */
export class ArrayCursor<V> {
  /** Index of the current element, or -1. */
  index = -1;
  readonly #array: PersistentArray<V>;
  readonly #root: Root;
  readonly #tm: TransactionManager;
  readonly #reader: BlockReader;
  readonly #blockManager: BlockManager;
  readonly #view: ArrayBlockView;
  readonly #frozen: boolean;
  readonly #blocks: Cursor<number>;
  readonly #version: number;
  #block = -1;
  #slot = 0;
  #nrEntries = 0;
  /** Index of the array block up to which blocks were read ahead. */
  #ahead = 0;

  /** Makes a cursor at no element: seek first. */
  constructor(array: PersistentArray<V>, root: Root, options: CursorOptions = {}) {
    this.#array = array;
    this.#root = root;
    this.#tm = array.tm;
    this.#reader = options.reader ?? array.tm;
    this.#blockManager = this.#reader.blockManager;
    this.#view = new ArrayBlockView(this.#blockManager.slab);
    this.#frozen = options.frozen ?? false;
    this.#blocks = new Cursor(array.tree, root, options);
    this.#version = array.tm.version;
  }

  /** What {@link valueAt} is an offset in. */
  get slab(): Slab {
    return this.#view.slab;
  }

  /** Whether the cursor is at an element. */
  get valid(): boolean {
    return this.index >= 0;
  }

  /** Byte offset of the current element in the block manager's slab, valid until the next call of the block manager. */
  get valueAt(): number {
    this.#refuseChange();
    if (this.index < 0) throw new StateError('Cannot read an element: the cursor is at none, seek first');
    if (!this.#blockManager.isAt(this.#view.base, this.#block)) {
      this.#view.base = this.#reader.read(this.#block, ARRAY_VALIDATOR);
    }
    return this.#view.valueAt(this.#slot);
  }

  /** The current element. @throws {StateError} when the cursor is at none, or something was changed. */
  get value(): V {
    return this.#array.valueType.read(this.#view.slab, this.valueAt);
  }

  /** Moves to the element of that index. False, and the cursor is at none, when the array's blocks end before it. */
  seek(index: number): boolean {
    this.#refuseChange();
    const { perBlock } = this.#array;
    const blockIndex = Math.floor(index / perBlock);
    this.index = -1;
    this.#ahead = blockIndex + 1;
    if (!this.#blocks.seek(blockIndex) || this.#blocks.key !== blockIndex) return false;
    return this.#enter(index - blockIndex * perBlock);
  }

  /** Moves to the next element. False at the end: then the cursor is at none. */
  next(): boolean {
    return this.skip(1);
  }

  /** Moves on by `count` elements, over any number of blocks. O(1) within a block, else as a seek. */
  skip(count: number): boolean {
    this.#refuseChange();
    if (this.index < 0) return false;
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`Cannot skip ${count} elements: an integer from 0 to 2^53 - 1 is wanted`);
    }
    const slot = this.#slot + count;
    if (slot < this.#nrEntries) {
      this.#slot = slot;
      this.index += count;
      return true;
    }
    if (slot >= 2 * this.#array.perBlock) return this.seek(this.index + count);
    this.index = -1;
    const blockIndex = Number(this.#blocks.key) + 1;
    if (slot < this.#array.perBlock || !this.#blocks.next() || this.#blocks.key !== blockIndex) return false;
    this.#readAhead(blockIndex);
    return this.#enter(slot - this.#array.perBlock);
  }

  #enter(slot: number): boolean {
    const view = this.#view;
    const block = this.#blocks.value;
    readArrayBlock(this.#reader, view, block, this.#array.valueType.size);
    if (slot >= view.nrEntries) return false;
    this.#block = block;
    this.#slot = slot;
    this.#nrEntries = view.nrEntries;
    this.index = Number(this.#blocks.key) * this.#array.perBlock + slot;
    return true;
  }

  /** Reads the next blocks into the cache together, when those read before are used up. */
  #readAhead(blockIndex: number): void {
    if (blockIndex < this.#ahead) return;
    const end = blockIndex + Math.min(WINDOW, this.#blockManager.capacity >>> 3);
    const missing: number[] = [];
    const collect = (slab: Slab, _high: number, _low: number, at: number): void => {
      const block = readU64(slab, at);
      if (!this.#blockManager.isCached(block)) missing.push(block);
    };
    // A non-blocking reader does its own prefetching.
    if (this.#reader !== this.#tm) return;
    forEachEntry(this.#array.tree, this.#root, collect, { begin: blockIndex, end, frozen: this.#frozen });
    this.#ahead = end;
    if (missing.length > 1) this.#blockManager.prefetch(missing, ARRAY_VALIDATOR);
  }

  #refuseChange(): void {
    if (this.#frozen || this.#version === this.#tm.version) return;
    throw new StateError('Cannot use the cursor: the array changed under it, make a new one');
  }
}
