import type { Slab } from '../../packages/persistent-data/src/base/index.ts';
import { BlockManager } from '../../packages/persistent-data/src/block-manager/index.ts';
import type { ValueType } from '../../packages/persistent-data/src/btree/index.ts';
import { NODE_VALIDATOR, NodeView } from '../../packages/persistent-data/src/format/index.ts';
import { MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { CoreSpaceMap } from '../../packages/persistent-data/src/space-map/index.ts';
import { TransactionManager } from '../../packages/persistent-data/src/transaction-manager/index.ts';

export interface ScratchOptions {
  readonly nrBlocks?: number;
  readonly cacheBlocks?: number;
}

/**
 * A device in memory with a transaction manager over it, whose reference counts live in core: enough to run every structure
 * above. Block 0 stands for the superblock.
 */
export class ScratchSpace {
  readonly device: MemoryDevice;
  readonly cacheBlocks: number;
  blockManager: BlockManager;
  spaceMap: CoreSpaceMap;
  tm: TransactionManager;
  #committed: Map<number, number>;

  constructor({ nrBlocks = 4096, cacheBlocks = 2048 }: ScratchOptions = {}) {
    this.device = new MemoryDevice({ nrBlocks });
    this.cacheBlocks = cacheBlocks;
    this.blockManager = new BlockManager(this.device, { cacheBlocks });
    this.spaceMap = new CoreSpaceMap(nrBlocks);
    this.spaceMap.setCount(0, 1);
    this.tm = new TransactionManager(this.blockManager, this.spaceMap);
    this.#committed = new Map([[0, 1]]);
  }

  commit(): void {
    this.tm.preCommit();
    this.tm.commit(this.blockManager.writeLockZero(0, NODE_VALIDATOR));
    this.#committed = this.counts();
  }

  /** Goes back to the last commit, with an empty cache: a rollback, or closing and opening again after a commit. */
  reopen(): void {
    const { nrBlocks } = this.device;
    this.blockManager.reset();
    this.blockManager = new BlockManager(this.device, { cacheBlocks: this.cacheBlocks });
    this.spaceMap = new CoreSpaceMap(nrBlocks);
    for (const [b, count] of this.#committed) this.spaceMap.setCount(b, count);
    this.spaceMap.commit();
    this.tm = new TransactionManager(this.blockManager, this.spaceMap);
  }

  /** Blocks whose count is not 0. */
  counts(): Map<number, number> {
    const counts = new Map<number, number>();
    for (let b = 0; b < this.spaceMap.nrBlocks; b++) {
      const count = this.spaceMap.getCount(b);
      if (count > 0) counts.set(b, count);
    }
    return counts;
  }

  node(b: number): NodeView {
    return new NodeView(this.blockManager.slab, this.blockManager.read(b, NODE_VALIDATOR));
  }

  /** Changes a node behind everybody's back, checksum and all, as damage or another program would. */
  damage(b: number, change: (node: NodeView) => void): void {
    const base = this.blockManager.writeLock(b, NODE_VALIDATOR);
    change(new NodeView(this.blockManager.slab, base));
    this.blockManager.unlock(base);
  }
}

/** A tree, for {@link referenceCounts}: its root, its levels, what its last values refer to. */
export interface CountedTree {
  readonly root: number;
  readonly levels?: number;
  /** Called once for each leaf of the last level that is found, however often it is referred to. */
  readonly leaf?: (node: NodeView) => void;
}

/** The counts that these trees justify, with one reference to each root, by a walk that shares no code with the library's. */
export function referenceCounts(space: ScratchSpace, trees: readonly CountedTree[]): Map<number, number> {
  const counts = new Map<number, number>([[0, 1]]);
  const visit = (b: number, levels: number, leaf: CountedTree['leaf']): void => {
    const before = counts.get(b) ?? 0;
    counts.set(b, before + 1);
    if (before > 0) return;
    const node = space.node(b);
    if (node.isLeaf && levels === 1) {
      leaf?.(node);
      return;
    }
    const below = node.isLeaf ? levels - 1 : levels;
    const children = Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
    for (const child of children) visit(child, below, leaf);
  };
  for (const { root, levels = 1, leaf } of trees) visit(root, levels, leaf);
  return counts;
}

/** A pattern of `size` bytes that tells which number it was made from; the number itself where it fits. */
export function patternType(size: number): ValueType<number> {
  return {
    name: `pattern of ${size} bytes`,
    size,
    read: (slab, at) => readPattern(slab, at, size),
    write: (slab, at, value) => {
      for (let i = 0; i < size; i++) slab.bytes[at + i] = patternByte(value, i);
    },
  };
}

function patternByte(value: number, i: number): number {
  return i < 4 ? (value >>> (8 * i)) & 0xff : (value * 31 + i * 7) & 0xff;
}

function readPattern(slab: Slab, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < Math.min(size, 4); i++) value += slab.bytes[at + i]! * 2 ** (8 * i);
  for (let i = 4; i < size; i++) {
    if (slab.bytes[at + i] !== patternByte(value, i)) throw new Error(`byte ${i} of value ${value} is wrong`);
  }
  return value;
}

/** Values of `size` bytes that are numbers of things counted in `counts`: so a test sees each inc and dec. */
export function countedType(size: number, counts: Map<number, number>): ValueType<number> {
  const pattern = patternType(size);
  const add = (slab: Slab, at: number, count: number, delta: number): void => {
    for (let i = 0; i < count; i++) {
      const thing = pattern.read(slab, at + i * size);
      const now = (counts.get(thing) ?? 0) + delta;
      if (now < 0) throw new Error(`count of ${thing} falls below 0`);
      if (now === 0) counts.delete(thing);
      else counts.set(thing, now);
    }
  };
  return {
    ...pattern,
    inc: (slab, at, count) => add(slab, at, count, 1),
    dec: (slab, at, count) => add(slab, at, count, -1),
    equal: (slabA, atA, slabB, atB) => pattern.read(slabA, atA) === pattern.read(slabB, atB),
  };
}

/** Checks the shape of a tree by a plain recursion: order, ranges, depth, fill. Returns its keys (of the first level). */
export function expectShape(space: ScratchSpace, root: number): number[] {
  const keys: number[] = [];
  let leafDepth = -1;
  const visit = (b: number, depth: number, begin: number, end: number): void => {
    const node = space.node(b);
    const { nrEntries, maxEntries } = node;
    if (depth > 0 && nrEntries < Math.floor(maxEntries / 3)) throw new Error(`node ${b} is under-full: ${node}`);
    let last = -1;
    for (let i = 0; i < nrEntries; i++) {
      const key = node.keyAt(i);
      if (key <= last || key < begin || key >= end) throw new Error(`node ${b}: key ${key} is out of place: ${node}`);
      last = key;
    }
    if (node.isLeaf) {
      if (leafDepth >= 0 && leafDepth !== depth) throw new Error(`leaf ${b} at depth ${depth}, others at ${leafDepth}`);
      leafDepth = depth;
      for (let i = 0; i < nrEntries; i++) keys.push(node.keyAt(i));
      return;
    }
    const children = Array.from({ length: nrEntries }, (_, i) => [node.childAt(i), node.keyAt(i)] as const);
    children.forEach(([child, key], i) => {
      visit(child, depth + 1, key, children[i + 1]?.[1] ?? end);
    });
  };
  visit(root, 0, 0, Number.POSITIVE_INFINITY);
  return keys;
}
