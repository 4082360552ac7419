import { assert, Slab, StateError } from '../base/index.ts';
import { Btree, blockReferenceType, type Root, readU64, type ValueType } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { arrayBlockType, readArrayBlock } from './block-type.ts';

/**
 * The blocks of an array, by their index in it, and the tree that finds them: what creation, change and resizing share.
 *
 * A changed block is led to by the tree again only if it moved. As shadowing gave up the old block's number already, and the tree's overwrite
 * will give it up once more, it is counted once in between.
 */
export class ArrayBlocks<V> {
  readonly tm: TransactionManager;
  readonly valueType: ValueType<V>;
  /** Elements per block. */
  readonly perBlock: number;
  /** Moved to the block that was last found, shadowed or made. */
  readonly view: ArrayBlockView;
  readonly tree: Btree<number>;
  /** The same tree to an entry's overwrite that gives up the block alone: its elements live on in the copy. */
  readonly #shallowTree: Btree<number>;
  readonly #scratch: Slab;
  readonly #node: NodeView;

  constructor(tm: TransactionManager, valueType: ValueType<V>) {
    const { slab } = tm.blockManager;
    this.tm = tm;
    this.valueType = valueType;
    this.perBlock = arrayEntriesFor(valueType.size);
    if (!(this.perBlock >= 1)) {
      throw new RangeError(`Cannot make an array: the value size is ${valueType.size} bytes, 1 to 4072 are supported`);
    }
    this.view = new ArrayBlockView(slab);
    this.tree = new Btree(tm, { valueType: arrayBlockType(tm, valueType, new ArrayBlockView(slab)) });
    this.#shallowTree = new Btree(tm, { valueType: blockReferenceType(tm) });
    this.#node = new NodeView(slab);
    this.#scratch = Slab.ofSize((valueType.size + 3) & ~3);
  }

  /** Writes a value where it can be copied from. */
  prepare(value: V): void {
    this.valueType.write(this.#scratch, 0, value);
  }

  /** Adds copies of the prepared value to the block in `view`, up to `count` elements. Each copy counts as a reference. */
  fill(count: number): void {
    const { view } = this;
    const from = view.nrEntries;
    assert(count >= from && count <= this.perBlock, 'a block is filled up to its room');
    const { size } = this.valueType;
    const { bytes } = view.slab;
    for (let i = from; i < count; i++) bytes.set(this.#scratch.bytes.subarray(0, size), view.valueAt(i));
    view.nrEntries = count;
    if (count > from) this.valueType.inc?.(view.slab, view.valueAt(from), count - from);
  }

  /** Overwrites an element of the block in `view` by the prepared value; the old one is given up unless it is the same reference. */
  overwrite(slot: number): void {
    const { dec, equal, size } = this.valueType;
    const { slab } = this.view;
    const at = this.view.valueAt(slot);
    if (dec !== undefined && !equal?.(slab, at, this.#scratch, 0)) dec(slab, at, 1);
    slab.bytes.set(this.#scratch.bytes.subarray(0, size), at);
  }

  /** Drops the elements from `count` on of the block in `view`. */
  trim(count: number): void {
    const { view } = this;
    const { nrEntries } = view;
    assert(count <= nrEntries, 'a block is trimmed to what it has');
    if (count < nrEntries) this.valueType.dec?.(view.slab, view.valueAt(count), nrEntries - count);
    view.nrEntries = count;
  }

  /** Makes a block without elements and moves `view` to it; it stays locked until {@link insertNew}. */
  begin(): void {
    this.view.base = this.tm.newBlock(ARRAY_VALIDATOR);
    this.view.setHeader(this.valueType.size);
  }

  /** Puts the block that was begun into the tree, unlocks it, and answers the tree's new root. */
  insertNew(root: Root, index: number): Root {
    const { base } = this.view;
    const newRoot = this.tree.insert(root, index, this.tm.blockManager.blockAt(base));
    this.tm.unlock(base);
    return newRoot;
  }

  /**
   * Shadows block `index`, lets `change` write to it through `view`, and answers the tree's new root.
   * @throws {StateError} when the array has no such block.
   */
  change(root: Root, index: number, change: () => void): Root {
    const at = this.tree.find(root, index);
    if (at < 0) throw missing(index);
    const old = readU64(this.tm.blockManager.slab, at);
    const treeFirst = this.valueType.inc !== undefined || (this.tm.isShadow(old) && this.#isWayShared(root, index));
    return treeFirst ? this.#changeTreeFirst(root, index, change) : this.#changeBlockFirst(root, index, old, change);
  }

  /**
   * Whether somebody else refers to a node on the way to a block. Then the block is theirs too, although its own count says nothing of it
   * yet. The kernel does not ask, and would change a clone's elements where array and clone are of one transaction; it never clones any.
   */
  #isWayShared(root: Root, index: number): boolean {
    const { tm } = this;
    const node = this.#node;
    let block = root;
    for (;;) {
      if (tm.isShared(block)) return true;
      node.base = tm.read(block, NODE_VALIDATOR);
      if (node.isLeaf) return false;
      block = node.childAt(Math.max(node.lowerBound(Math.floor(index / 0x1_0000_0000), index >>> 0), 0));
    }
  }

  /** As the kernel does, whose arrays hold plain numbers: the block first, then the tree if the block moved. */
  #changeBlockFirst(root: Root, index: number, old: number, change: () => void): Root {
    const { tm, view } = this;
    readArrayBlock(tm, view, old, this.valueType.size);
    const base = tm.shadow(old, ARRAY_VALIDATOR);
    const block = tm.blockManager.blockAt(base);
    view.base = base;
    change();
    tm.unlock(base);
    if (block === old) return root;
    tm.inc(old);
    return this.#shallowTree.insert(root, index, block);
  }

  /**
   * The way to the block is shadowed first: a block's own count tells whether it is shared only when no node above it is. Needed for elements
   * that are references.
   */
  #changeTreeFirst(root: Root, index: number, change: () => void): Root {
    const { tm, view } = this;
    const { slab } = tm.blockManager;
    const newRoot = this.tree.overwrite(root, index, (at) => {
      const old = readU64(slab, at);
      readArrayBlock(tm, view, old, this.valueType.size);
      const base = tm.shadow(old, ARRAY_VALIDATOR);
      view.base = base;
      if (tm.shadowWasShared) this.valueType.inc?.(slab, view.valueAt(0), view.nrEntries);
      change();
      this.#shallowTree.valueType.write(slab, at, tm.blockManager.blockAt(base));
      tm.unlock(base);
    });
    if (newRoot === undefined) throw missing(index);
    return newRoot;
  }
}

function missing(index: number): StateError {
  return new StateError(`Cannot change array block ${index}: the array has none of that index`);
}
