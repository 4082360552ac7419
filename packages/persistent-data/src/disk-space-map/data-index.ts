import { CorruptionError, TWO_POW_32 } from '../base/index.ts';
import { Btree, readU64, TreeDiff, type ValueType, writeU64 } from '../btree/index.ts';
import { INDEX_ENTRY } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { type BitmapIndex, emptyIndexEntry, type FrozenIndex, type IndexEntry } from './bitmap-index.ts';

const NR_FREE = INDEX_ENTRY.offset('nrFree');
const NONE_FREE_BEFORE = INDEX_ENTRY.offset('noneFreeBefore');

/** An index entry as the value of the index tree. */
export const INDEX_ENTRY_TYPE: ValueType<IndexEntry> = {
  name: 'index_entry',
  size: INDEX_ENTRY.size,
  read: (slab, at) => ({
    blocknr: readU64(slab, at),
    nrFree: slab.words[(at + NR_FREE) >>> 2]!,
    noneFreeBefore: slab.words[(at + NONE_FREE_BEFORE) >>> 2]!,
  }),
  write: (slab, at, value) => {
    writeU64(slab, at, value.blocknr);
    slab.words[(at + NR_FREE) >>> 2] = value.nrFree;
    slab.words[(at + NONE_FREE_BEFORE) >>> 2] = value.noneFreeBefore;
  },
};

/** Entries held back before they are written into the tree. */
const NR_SLOTS = 64;

interface Slot {
  index: number;
  dirty: boolean;
  readonly entry: IndexEntry;
}

/**
 * The index of a data space map: a tree, behind 64 entries that are held back, so that not every change costs a tree insert. An entry's
 * slot is -5 * index mod 64; whoever else needs the slot writes a dirty entry into the tree first.
 */
export class DataIndex implements BitmapIndex {
  root = 0;
  readonly #tree: Btree<IndexEntry>;
  readonly #slots: Slot[] = Array.from({ length: NR_SLOTS }, () => ({
    index: -1,
    dirty: false,
    entry: emptyIndexEntry(),
  }));

  /** Roots of the versions that are kept. */
  readonly #rootOf = new WeakMap<FrozenIndex, number>();

  constructor(tm: TransactionManager) {
    this.#tree = new Btree(tm, { valueType: INDEX_ENTRY_TYPE });
  }

  create(): void {
    this.root = this.#tree.empty();
  }

  open(root: number): void {
    this.root = root;
  }

  load(index: number, entry: IndexEntry): void {
    const slot = this.#slotFor(index);
    if (slot.index !== index) {
      this.#writeBack(slot);
      const found = this.#lookup(this.root, index);
      slot.index = index;
      Object.assign(slot.entry, found);
    }
    Object.assign(entry, slot.entry);
  }

  peek(index: number, entry: IndexEntry): void {
    const slot = this.#slotFor(index);
    Object.assign(entry, slot.index === index ? slot.entry : this.#lookup(this.root, index));
  }

  save(index: number, entry: IndexEntry): void {
    const slot = this.#slotFor(index);
    if (slot.index !== index) this.#writeBack(slot);
    slot.index = index;
    slot.dirty = true;
    Object.assign(slot.entry, entry);
  }

  append(index: number, entry: IndexEntry): void {
    this.save(index, entry);
  }

  removeLast(index: number): void {
    const slot = this.#slotFor(index);
    if (slot.index === index) {
      slot.index = -1;
      slot.dirty = false;
    }
    if (this.#tree.has(this.root, index)) this.root = this.#tree.remove(this.root, index);
  }

  commit(): void {
    for (const slot of this.#slots) this.#writeBack(slot);
  }

  /** Loads bitmap blocks lazily from the tree as it is now; only to be asked right after a {@link commit}. */
  freeze(): FrozenIndex {
    const { root } = this;
    // No array: a hostile superblock may speak of any number of bitmaps.
    const blocks = new Map<number, number>();
    const frozen: FrozenIndex = {
      forEachChanged: (other, visit) => {
        const diff = new TreeDiff(this.#tree, root, this.#rootOf.get(other) ?? root, { frozen: true });
        while (diff.next()) visit(diff.keyHigh * TWO_POW_32 + diff.keyLow);
      },
      bitmapBlock: (index) => {
        let block = blocks.get(index);
        if (block === undefined) {
          block = this.#lookup(root, index).blocknr;
          blocks.set(index, block);
        }
        return block;
      },
    };
    this.#rootOf.set(frozen, root);
    return frozen;
  }

  #slotFor(index: number): Slot {
    return this.#slots[Math.imul(index, -5) & (NR_SLOTS - 1)]!;
  }

  #writeBack(slot: Slot): void {
    if (!slot.dirty) return;
    slot.dirty = false;
    this.root = this.#tree.insert(this.root, slot.index, slot.entry);
  }

  #lookup(root: number, index: number): IndexEntry {
    const entry = this.#tree.lookup(root, index);
    if (entry === undefined) {
      const message = `Cannot read index tree ${root}: it has no entry for bitmap ${index}`;
      throw new CorruptionError(message, { block: root, kind: 'btree_node', field: 'key', expected: index });
    }
    return entry;
  }
}
