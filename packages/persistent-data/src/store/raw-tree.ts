import { assert, CorruptionError, highHalf, joinKey, lowHalf, type Slab, type U64 } from '../base/index.ts';
import {
  ABSENT,
  Btree,
  blockReferenceType,
  findExact,
  findForRemoval,
  insertScratch,
  type Keys,
  NOT_FOUND,
  type PutBuffer,
  type Removal,
  type Root,
  readU64,
  removeFound,
  removeRange,
  SortedMerge,
  TreeContext,
  type ValueType,
  writeU64,
} from '../btree/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import type { Descriptor } from './catalogue.ts';
import { RawCollection } from './raw-collection.ts';
import { removeTreeRange } from './raw-tree-range.ts';
import type { TreeIterator } from './tree-iterator.ts';

/** Values as so many bytes that refer to nothing: all that a tree's structure has to know of them. */
export function opaqueType(size: number): ValueType<Uint8Array> {
  return {
    name: `bytes(${size})`,
    size,
    read: (slab, at) => slab.bytes.slice(at, at + size),
    write: (slab, at, value) => slab.bytes.set(value, at),
  };
}

/**
 * A tree of one branch, without its codec: what the redo log is replayed on. The keys of an operation are in the context's `keyHigh` and
 * `keyLow`, the value of an insert in its scratch space.
 */
export class RawTree extends RawCollection {
  readonly context: TreeContext<Uint8Array>;
  readonly type: ValueType<Uint8Array>;
  readonly tm: TransactionManager;
  /** An iterator that has ended, for the next one; see there. */
  lastIterator: TreeIterator<unknown> | undefined;
  readonly #node: NodeView;
  readonly #outcome = { wasNew: false };
  /** Kinds of tree that stop above the last level, by the number of their levels: their values are the roots of sub-trees. */
  readonly #upper: (Btree<Root> | undefined)[] = [];
  readonly #kinds: (Btree<Uint8Array> | undefined)[] = [];
  #upperLevel: Btree<Root> | undefined;
  #removal: Removal = ABSENT;
  /** Entries that wait to be put, of a tree of one level. The store's `Backlog` makes it. */
  backlog: PutBuffer | undefined;
  #merge: SortedMerge<Uint8Array> | undefined;

  constructor(tm: TransactionManager, branchId: number, id: number, descriptor: Descriptor) {
    super(branchId, id, descriptor);
    this.type = opaqueType(this.valueSize);
    this.context = new TreeContext(tm, this.levels, this.type);
    this.tm = tm;
    this.#node = new NodeView(tm.blockManager.slab);
  }

  /**
   * Finds the value under the context's keys. Allocates nothing.
   * @returns Its byte offset in the slab, valid until the next call of the block manager; -1 when it is not there.
   */
  find(): number {
    const { levels } = this;
    const { keyHigh, keyLow } = this.context;
    const node = this.#node;
    let block = this.root;
    for (let level = 0; level < levels - 1; level++) {
      const index = findExact(this.tm, node, block, keyHigh[level]!, keyLow[level]!);
      if (index === NOT_FOUND) return -1;
      if (node.valueSize !== 8) throw this.#wrongSize(node, 8);
      block = node.childAt(index);
    }
    const index = findExact(this.tm, node, block, keyHigh[levels - 1]!, keyLow[levels - 1]!);
    if (index === NOT_FOUND) return -1;
    if (node.valueSize !== this.valueSize) throw this.#wrongSize(node, this.valueSize);
    return node.valueAt(index);
  }

  /** @throws {TypeError | RangeError} when these are no first keys of this tree's. */
  checkPrefix(keys: readonly U64[]): void {
    if (keys.length > this.levels) {
      throw new TypeError(`Cannot use ${keys.length} keys: the tree has ${this.levels} levels`);
    }
    for (const key of keys) {
      highHalf(key);
      lowHalf(key);
    }
  }

  get slab(): Slab {
    return this.tm.blockManager.slab;
  }

  /** Puts the scratch value under the context's keys. */
  put(): void {
    this.root = insertScratch(this.context, this.root, this.#outcome);
    if (this.#outcome.wasNew) this.count++;
  }

  /** Puts all that is in {@link backlog}. @param beforeLeaf - Called before each leaf, while nothing is locked. */
  putBacklog(beforeLeaf: () => void): void {
    const { backlog } = this;
    if (backlog === undefined || backlog.count === 0) return;
    this.#merge ??= new SortedMerge(this.context);
    backlog.putInOrder();
    this.root = this.#merge.merge(this.root, backlog, beforeLeaf);
    this.count += this.#merge.nrNew;
    backlog.clear();
  }

  override settle(): void {
    assert(this.backlog === undefined, 'entries that wait are put before anybody looks at the tree');
  }

  /** Finds the context's keys, for {@link removeFound}. False when they are not there. */
  findForRemoval(): boolean {
    this.#removal = findForRemoval(this.context, this.root);
    return this.#removal !== ABSENT;
  }

  /** Removes what {@link findForRemoval} has found; nothing may have changed since. Sub-trees that become empty go too. */
  removeFound(): void {
    const root = this.#removal === ABSENT ? undefined : removeFound(this.context, this.root, this.#removal);
    if (root === undefined) throw this.#lost();
    this.root = root;
    this.count--;
    if (this.levels > 1) this.#prune();
  }

  /** The root of a sub-tree, below these keys; `undefined` when there is none. */
  subRoot(above: readonly U64[]): Root | undefined {
    return above.length === 0 ? this.root : this.upper(above.length).lookup(this.root, keysOf(above));
  }

  /** Removes everything below these keys, fewer than there are levels. Answers how many entries that was. */
  removeBelow(above: readonly U64[]): number {
    const sub = this.subRoot(above);
    if (sub === undefined) return 0;
    const removed = this.countBelow(sub, this.levels - above.length);
    if (above.length === 0) {
      const tree = this.#kind(this.levels);
      tree.delete(this.root);
      this.root = tree.empty();
    } else {
      this.root = this.upper(above.length).remove(this.root, keysOf(above));
      this.#pruneFrom(above.slice(0, -1));
    }
    this.count -= removed;
    return removed;
  }

  /** Removes the entries from `begin` up to `end`; see {@link removeTreeRange}. Answers how many that was. */
  removeRange(begin: readonly U64[], end: readonly U64[] | undefined): number {
    return removeTreeRange(this, begin, end);
  }

  /** Removes entries of one sub-tree of the last level. An empty sub-tree goes too. */
  removeLeafRange(above: readonly U64[], begin: U64 | undefined, end: U64 | undefined): number {
    const { root, count } = removeRange(this.#kind(this.levels), this.root, {
      above,
      ...(begin === undefined ? {} : { begin }),
      ...(end === undefined ? {} : { end }),
    });
    this.root = root;
    this.count -= count;
    if (count > 0) this.#pruneFrom(above);
    return count;
  }

  /** Entries of a sub-tree of so many levels. Reads all its leaves. */
  countBelow(root: Root, levels: number): number {
    const node = new NodeView(this.tm.blockManager.slab);
    let sum = 0;
    const visit = (block: number, level: number, depth: number): void => {
      if (depth > 512) throw this.#lost();
      node.base = this.tm.read(block, NODE_VALIDATOR);
      const isLeaf = node.isLeaf;
      if (isLeaf && level === levels - 1) {
        sum += node.nrEntries;
        return;
      }
      const children = Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
      for (const child of children) visit(child, isLeaf ? level + 1 : level, depth + 1);
    };
    visit(root, 0, 0);
    return sum;
  }

  /** The first `levels` levels as a tree of their own, whose values are the roots of what is below. */
  upper(levels: number): Btree<Root> {
    const known = this.#upper[levels];
    if (known !== undefined) return known;
    const below = this.#kind(this.levels - levels);
    const valueType: ValueType<Root> = {
      name: 'sub_tree',
      size: 8,
      read: readU64,
      write: writeU64,
      inc: (slab, at, count) => {
        for (let i = 0; i < count; i++) this.tm.inc(readU64(slab, at + 8 * i));
      },
      dec: (slab, at, count) => {
        for (let i = 0; i < count; i++) below.delete(readU64(slab, at + 8 * i));
      },
      equal: (slabA, atA, slabB, atB) => readU64(slabA, atA) === readU64(slabB, atB),
    };
    const tree = new Btree(this.tm, { valueType, levels });
    this.#upper[levels] = tree;
    return tree;
  }

  /** A sub-tree of the last level as a tree of its own. */
  get leafTree(): Btree<Uint8Array> {
    return this.#kind(1);
  }

  /** A sub-tree of any level above the last, as a tree of its own. */
  get upperLevel(): Btree<Root> {
    this.#upperLevel ??= new Btree(this.tm, { valueType: blockReferenceType(this.tm) });
    return this.#upperLevel;
  }

  #kind(levels: number): Btree<Uint8Array> {
    const known = this.#kinds[levels];
    if (known !== undefined) return known;
    const tree = new Btree(this.tm, { valueType: this.type, levels });
    this.#kinds[levels] = tree;
    return tree;
  }

  /** Drops the sub-trees on the context's way that have become empty. */
  #prune(): void {
    const { keyHigh, keyLow } = this.context;
    const above: U64[] = [];
    for (let level = 0; level < this.levels - 1; level++) above.push(joinKey(keyHigh[level]!, keyLow[level]!));
    this.#pruneFrom(above);
  }

  #pruneFrom(above: readonly U64[]): void {
    for (let depth = above.length; depth > 0; depth--) {
      const keys = above.slice(0, depth);
      const sub = this.subRoot(keys);
      if (sub === undefined) continue;
      const node = this.#node;
      node.base = this.tm.read(sub, NODE_VALIDATOR);
      if (node.nrEntries > 0) return;
      this.root = this.upper(depth).remove(this.root, keysOf(keys));
    }
  }

  #wrongSize(node: NodeView, wanted: number): CorruptionError {
    const block = this.tm.blockManager.blockAt(node.base);
    const message = `Cannot use btree_node block ${block}: its values have ${node.valueSize} bytes, ${wanted} are wanted`;
    return new CorruptionError(message, {
      block,
      kind: 'btree_node',
      field: 'valueSize',
      found: node.valueSize,
      expected: wanted,
    });
  }

  #lost(): CorruptionError {
    const message = `Cannot change tree ${this.root}: a key was found and then lost, the tree is out of order`;
    return new CorruptionError(message, { block: this.root, kind: 'btree_node' });
  }
}

function keysOf(keys: readonly U64[]): Keys {
  return keys.length === 1 ? keys[0]! : keys;
}
