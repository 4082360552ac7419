/**
 * A slow, plain reference walk: counts every reference that structures on a metadata device make, and checks their shape, node by node, without
 * the library's lookups, cursors or checkers. It sees the state in core, uncommitted changes included, and leaves the cache as it is.
 */

import { Slab } from '../../packages/persistent-data/src/base/index.ts';
import type { BlockManager } from '../../packages/persistent-data/src/block-manager/index.ts';
import {
  BITMAP_VALIDATOR,
  type BlockValidator,
  bitmapCount,
  ENTRIES_PER_BITMAP,
  METADATA_INDEX_VALIDATOR,
  maxEntriesFor,
  NODE_VALIDATOR,
  type SpaceMapRoot,
} from '../../packages/persistent-data/src/format/index.ts';
import type { BlockDevice } from '../../packages/persistent-data/src/io/index.ts';

/** A value in a leaf: where it begins, in words. */
type VisitEntry = (key: number, words: Uint32Array, at: number) => void;

const NR_ENTRIES = 4;
const KEYS = 8;
const TWO_POW_32 = 2 ** 32;

export class PlainWalkError extends Error {}

function insist(condition: boolean, text: string): asserts condition {
  if (!condition) throw new PlainWalkError(text);
}

export function u64At(words: Uint32Array, at: number): number {
  return words[at + 1]! * TWO_POW_32 + words[at]!;
}

/** Memory for blocks that are not cached, used again by the next walk: a model test makes some hundred thousand. */
const spareBlocks: Slab[] = [];

/** What a space map holds on the disk. */
export interface WalkedSpaceMap {
  readonly counts: Uint32Array;
  /** Blocks of the bitmaps, in order. */
  readonly bitmaps: readonly number[];
}

export class PlainWalk {
  /** References found so far to each metadata block. */
  readonly references: Uint32Array;
  readonly #blockManager: BlockManager;
  readonly #device: BlockDevice;
  #nrSpareUsed = 0;

  /** Only one walk is used at a time: the next one takes over its memory. */
  constructor(blockManager: BlockManager, device: BlockDevice) {
    this.#blockManager = blockManager;
    this.#device = device;
    this.references = new Uint32Array(blockManager.nrBlocks);
  }

  /** Notes a reference. Answers whether it is the first: then what the block refers to counts as well. */
  refer(b: number): boolean {
    insist(b < this.references.length, `block ${b} is outside the device`);
    return ++this.references[b]! === 1;
  }

  /** A block's words: in the cache where it is cached, else as the device has it. */
  block(b: number, validator: BlockValidator): { words: Uint32Array; base: number } {
    if (this.#blockManager.isCached(b)) {
      return { words: this.#blockManager.slab.words, base: this.#blockManager.read(b, validator) };
    }
    let slab = spareBlocks[this.#nrSpareUsed];
    if (slab === undefined) {
      slab = Slab.ofSize(4096);
      spareBlocks.push(slab);
    }
    this.#nrSpareUsed++;
    this.#device.read(b, [slab.bytes]);
    // The library will check the rest when it reads the block.
    insist(u64At(slab.words, 2) === b, `${validator.kind} block ${b} is not at its place`);
    return { words: slab.words, base: 0 };
  }

  /**
   * Walks a tree of one level, to which one reference leads, and checks its shape: geometry, order, ranges, depth, fill. `visit` is called for
   * the entries of leaves that are met for the first time.
   */
  tree(root: number, valueSize: number, visit?: VisitEntry): void {
    let leafDepth = -1;
    const go = (b: number, depth: number, begin: number, end: number): void => {
      if (!this.refer(b)) return;
      const { words, base } = this.block(b, NODE_VALIDATOR);
      const isLeaf = words[base + 1] === 2;
      const size = isLeaf ? valueSize : 8;
      const nr = words[base + NR_ENTRIES]!;
      const max = words[base + 5]!;
      insist(words[base + 6] === size && max === maxEntriesFor(size), `node ${b} has another geometry`);
      insist(nr <= max, `node ${b} holds ${nr} of ${max}`);
      insist(depth === 0 || nr >= Math.floor(max / 3), `node ${b} is under-full: ${nr} of ${max}`);
      if (isLeaf) {
        insist(leafDepth < 0 || leafDepth === depth, `leaf ${b} is at depth ${depth}, others at ${leafDepth}`);
        leafDepth = depth;
      }
      let last = -1;
      // Children are read before the walk goes down: a walk may read other blocks over an uncached one's place.
      const children: [block: number, key: number][] = [];
      for (let i = 0; i < nr; i++) {
        const key = u64At(words, base + KEYS + 2 * i);
        insist(key > last && key >= begin && key < end, `node ${b}: key ${key} is out of place`);
        last = key;
        const at = base + KEYS + 2 * max + (i * size) / 4;
        if (isLeaf) visit?.(key, words, at);
        else children.push([u64At(words, at), key]);
      }
      for (const [i, [child, key]] of children.entries()) go(child, depth + 1, key, children[i + 1]?.[1] ?? end);
    };
    go(root, 0, 0, Number.POSITIVE_INFINITY);
  }

  /** The keys of a tree and the numbers that its 8-byte values are; nothing is counted. */
  entries(root: number): [key: number, value: bigint][] {
    const found: [number, bigint][] = [];
    const go = (b: number): void => {
      const { words, base } = this.block(b, NODE_VALIDATOR);
      const isLeaf = words[base + 1] === 2;
      const max = words[base + 5]!;
      const values = Array.from({ length: words[base + NR_ENTRIES]! }, (_, i) => {
        const at = base + KEYS + 2 * max + 2 * i;
        return [u64At(words, base + KEYS + 2 * i), words[at + 1]!, words[at]!] as const;
      });
      for (const [key, high, low] of values) {
        if (isLeaf) found.push([key, (BigInt(high) << 32n) | BigInt(low)]);
        else go(high * TWO_POW_32 + low);
      }
    };
    go(root);
    return found;
  }

  /**
   * Walks a space map as it is on the disk (after a commit), counts what it refers to, and checks what it says of itself.
   * @param kind - Where its index is: in a tree, or in one block.
   */
  spaceMap(root: SpaceMapRoot, kind: 'data' | 'metadata'): WalkedSpaceMap {
    const { nrBlocks, nrAllocated, bitmapRoot, refCountRoot } = root;
    const index: [blocknr: number, nrFree: number, noneFreeBefore: number][] = [];
    const nrBitmaps = Math.ceil(nrBlocks / ENTRIES_PER_BITMAP);
    if (kind === 'data') {
      this.tree(bitmapRoot, 16, (key, words, at) => {
        insist(key === index.length, `the index tree has no entry ${index.length}`);
        index.push([u64At(words, at), words[at + 2]!, words[at + 3]!]);
      });
    } else {
      this.refer(bitmapRoot);
      const { words, base } = this.block(bitmapRoot, METADATA_INDEX_VALIDATOR);
      for (let i = 0; i < nrBitmaps; i++) {
        const at = base + 4 + 4 * i;
        index.push([u64At(words, at), words[at + 2]!, words[at + 3]!]);
      }
      for (let i = nrBitmaps; i < 255; i++) insist(words[base + 4 + 4 * i] === 0, `index entry ${i} is not zero`);
    }
    insist(index.length === nrBitmaps, `${index.length} bitmaps describe ${nrBlocks} blocks`);
    const large = new Map<number, number>();
    this.tree(refCountRoot, 4, (key, words, at) => large.set(key, words[at]!));
    const counts = new Uint32Array(nrBlocks);
    let used = 0;
    for (const [i, [blocknr, nrFree, noneFreeBefore]] of index.entries()) {
      this.refer(blocknr);
      const { words, base } = this.block(blocknr, BITMAP_VALIDATOR);
      const begin = i * ENTRIES_PER_BITMAP;
      let usedHere = 0;
      for (let word = 0; word < ENTRIES_PER_BITMAP / 16; word++) {
        if (words[base + 4 + word] === 0) continue;
        for (let bit = 16 * word; bit < 16 * word + 16; bit++) {
          const field = bitmapCount(words, base, bit);
          if (field === 0) continue;
          usedHere++;
          const b = begin + bit;
          insist(b < nrBlocks, `a block beyond the end is counted: ${b}`);
          counts[b] = field;
          if (field < 3) continue;
          const count = large.get(b) ?? 0;
          insist(count >= 3, `block ${b}: field 3, count ${count} in the tree`);
          counts[b] = count;
          large.delete(b);
        }
      }
      for (let bit = 0; bit < noneFreeBefore; bit++) {
        insist((counts[begin + bit] ?? 0) > 0, `bitmap ${i}: ${bit} is free, below ${noneFreeBefore}`);
      }
      insist(nrFree === ENTRIES_PER_BITMAP - usedHere, `bitmap ${i}: nr_free is ${nrFree}, ${usedHere} are used`);
      used += usedHere;
    }
    for (const b of large.keys()) insist(false, `the tree counts block ${b}, whose field is not 3`);
    insist(used === nrAllocated, `nr_allocated is ${nrAllocated}, ${used} are`);
    return { counts, bitmaps: index.map(([blocknr]) => blocknr) };
  }
}

/** The first difference between two lists of counts, or `undefined`. */
export function countsDiffer(found: ArrayLike<number>, wanted: ArrayLike<number>): string | undefined {
  const length = Math.max(found.length, wanted.length);
  for (let b = 0; b < length; b++) {
    if ((found[b] ?? 0) !== (wanted[b] ?? 0))
      return `block ${b} is counted ${found[b]}, ${wanted[b]} references lead to it`;
  }
  return undefined;
}
