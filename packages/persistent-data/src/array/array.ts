import { StateError } from '../base/index.ts';
import { type Btree, forEachEntry, type Root, readU64, type ValueType } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView } from '../format/index.ts';
import type { BlockReader, TransactionManager } from '../transaction-manager/index.ts';
import { ArrayBlocks } from './array-blocks.ts';
import { readArrayBlock } from './block-type.ts';
import { resizeArray } from './resize.ts';

/** Gets one element in place: its index, its value at byte offset `at`. Answering `false` ends the walk. */
export type ElementVisitor<V> = (index: number, value: V) => unknown;

/**
 * A kind of array: elements of one fixed size, in blocks of some hundreds (509 of 8 bytes) that a btree finds. Like a `Btree` it holds no
 * array: an array is its root. Its length is kept by its owner; what lies beyond it in the last block is not looked at.
 *
 * Reading: one block per level of the tree and the array block, no lock. Changing: those are shadowed, once per transaction. Everything is placed
 * exactly as the Linux kernel does it. A change that throws anything but `StateError` or `RangeError` leaves the transaction broken.
 */
export class PersistentArray<V> {
  readonly tm: TransactionManager;
  readonly valueType: ValueType<V>;
  /** Elements per block. */
  readonly perBlock: number;
  readonly #blocks: ArrayBlocks<V>;
  readonly #view: ArrayBlockView;

  /** @throws {RangeError} when a value takes more than 4072 bytes. */
  constructor(tm: TransactionManager, valueType: ValueType<V>) {
    this.tm = tm;
    this.valueType = valueType;
    this.#blocks = new ArrayBlocks(tm, valueType);
    this.perBlock = this.#blocks.perBlock;
    this.#view = new ArrayBlockView(tm.blockManager.slab);
  }

  /** The tree of one level that finds the array blocks: key is the block's index in the array, value its number. */
  get tree(): Btree<number> {
    return this.#blocks.tree;
  }

  /** Makes an array without elements. One block. */
  empty(): Root {
    return this.tree.empty();
  }

  /** Makes an array of `length` elements, asking `elementAt` for each in turn. The references that the values stand for pass to the array. */
  create(length: number, elementAt: (index: number) => V): Root {
    checkLength(length);
    return this.#guard(() => {
      const blocks = this.#blocks;
      const { size } = this.valueType;
      let root = this.tree.empty();
      for (let begin = 0; begin < length; begin += this.perBlock) {
        const count = Math.min(this.perBlock, length - begin);
        blocks.begin();
        const { view } = blocks;
        const at = view.valueAt(0);
        for (let i = 0; i < count; i++) this.valueType.write(view.slab, at + i * size, elementAt(begin + i));
        view.nrEntries = count;
        root = blocks.insertNew(root, begin / this.perBlock);
      }
      return root;
    });
  }

  /** The element at `index`, or `undefined` beyond the last block's end. */
  get(root: Root, index: number, reader: BlockReader = this.tm): V | undefined {
    const at = this.find(root, index, reader);
    return at < 0 ? undefined : this.valueType.read(this.#view.slab, at);
  }

  /**
   * Finds an element without reading it. Allocates nothing.
   *
   * @returns Its byte offset in the block manager's slab, valid until the next call of the block manager; -1 beyond the last block's end.
   * @throws {CorruptionError} when a block on the way is not believable.
   */
  find(root: Root, index: number, reader: BlockReader = this.tm): number {
    checkLength(index);
    const blockIndex = Math.floor(index / this.perBlock);
    const at = this.tree.find(root, blockIndex, reader);
    if (at < 0) return -1;
    const view = this.#view;
    readArrayBlock(reader, view, readU64(view.slab, at), this.valueType.size);
    const slot = index - blockIndex * this.perBlock;
    return slot < view.nrEntries ? view.valueAt(slot) : -1;
  }

  /**
   * Overwrites the element at `index`. The value's reference passes to the array; the old one's is given up.
   * @returns The new root.
   * @throws {StateError} when there is no such element; then nothing has changed.
   */
  set(root: Root, index: number, value: V): Root {
    if (this.find(root, index) < 0) throw new StateError(`Cannot set element ${index}: it is beyond the array's end`);
    const blockIndex = Math.floor(index / this.perBlock);
    this.#blocks.prepare(value);
    return this.#guard(() =>
      this.#blocks.change(root, blockIndex, () => this.#blocks.overwrite(index - blockIndex * this.perBlock)),
    );
  }

  /**
   * Gives write access to all elements of one block, of plain values only: `change` gets a view of the block, locked. For changes of many at once.
   * @returns The new root.
   * @throws {StateError} when the array has no such block.
   */
  changeBlock(root: Root, blockIndex: number, change: (view: ArrayBlockView) => void): Root {
    if (this.tree.find(root, blockIndex) < 0) {
      throw new StateError(`Cannot change array block ${blockIndex}: the array has none of that index`);
    }
    return this.#guard(() => this.#blocks.change(root, blockIndex, () => change(this.#blocks.view)));
  }

  /**
   * Changes the length from `oldLength` to `newLength`. New elements are copies of `fill`, each of which counts as a reference of its own; the
   * caller keeps the one it has.
   * @returns The new root; the old one when the lengths are equal.
   */
  resize(root: Root, oldLength: number, newLength: number, fill: V): Root {
    checkLength(oldLength);
    checkLength(newLength);
    this.#blocks.prepare(fill);
    return this.#guard(() => resizeArray(this.#blocks, root, oldLength, newLength));
  }

  /**
   * Visits the elements in order, up to `length` if that is given. Two blocks are locked at a time, whatever the height of the tree.
   * @returns Whether it went through to the end.
   */
  walk(root: Root, visit: ElementVisitor<V>, length = Number.POSITIVE_INFINITY): boolean {
    const { valueType, tm } = this;
    const view = new ArrayBlockView(tm.blockManager.slab);
    return forEachEntry(this.tree, root, (slab, keyHigh, keyLow, at) => {
      const first = (keyHigh * 0x1_0000_0000 + keyLow) * this.perBlock;
      if (first >= length) return true;
      const block = readU64(slab, at);
      readArrayBlock(tm, view, block, valueType.size);
      const base = tm.readLock(block, ARRAY_VALIDATOR);
      try {
        const count = Math.min(view.nrEntries, length - first);
        for (let i = 0; i < count; i++) {
          if (visit(first + i, valueType.read(slab, view.valueAt(i))) === false) return false;
        }
        return true;
      } finally {
        tm.unlock(base);
      }
    });
  }

  /** Gives up one reference to the whole array; frees what nobody else refers to. */
  delete(root: Root): void {
    this.tree.delete(root);
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

function checkLength(length: number): void {
  if (Number.isSafeInteger(length) && length >= 0) return;
  throw new RangeError(
    `Cannot use ${length} as an index or length of an array: an integer from 0 to 2^53 - 1 is wanted`,
  );
}
