import { CorruptionError, TWO_POW_32 } from '../base/index.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import { NODE_HEADER, NodeView } from '../format/index.ts';
import type { ThinImage } from './image.ts';
import { type LeafList, leavesOf, loadNodes, outOfPlace } from './leaf-list.ts';

/** What the two sides have of a range of virtual blocks. */
export type DeltaKind = 'same' | 'different' | 'left_only' | 'right_only';

/**
 * Gets the differences of two devices, in the order of virtual blocks. The data blocks are those of the first virtual block; `-1` for a side that has
 * none. With `isExact` they hold for the whole run, as both advance; without, only for its first block.
 */
export type DeltaVisitor = (
  kind: DeltaKind,
  begin: number,
  length: number,
  leftData: number,
  rightData: number,
) => void;

/** How to compare. */
export interface DeltaOptions {
  /**
   * Ends runs where data blocks do not advance with virtual blocks. Default false: as version 1.1.0, whose verbose output tells the first data block of
   * a run and puts together what lies elsewhere.
   */
  readonly isExact?: boolean;
}

/** Leaves of each side that are in memory at a time. */
const BATCH = 128;

/**
 * Compares the mappings of two trees. Times do not count. Where both trees have one leaf, it is read once and not compared. Takes the memory of
 * two batches of leaves and 32 bytes a leaf.
 *
 * @throws {CorruptionError} when a node cannot be believed.
 */
export function thinDelta(
  image: ThinImage,
  leftRoot: number,
  rightRoot: number,
  visit: DeltaVisitor,
  options: DeltaOptions = {},
): void {
  const runs = new DeltaRuns(visit, options.isExact ?? false);
  const leftList = leavesOf(image.scanner, leftRoot, 8);
  const rightList = leftRoot === rightRoot ? leftList : leavesOf(image.scanner, rightRoot, 8);
  const left = new LeafSide(image, leftList);
  const right = new LeafSide(image, rightList);
  for (;;) {
    if (left.isAtBegin && right.isAtBegin && left.block === right.block) {
      shareLeaf(left, runs);
      left.skipLeaf();
      right.skipLeaf();
      continue;
    }
    if (!left.ready()) break;
    if (!right.ready()) break;
    mergeLeaves(left, right, runs);
  }
  for (; left.ready(); left.skipLeaf()) restOf(left, 'left_only', runs);
  for (; right.ready(); right.skipLeaf()) restOf(right, 'right_only', runs);
  runs.flush();
}

/** One side of a comparison: its leaves, a batch in memory, and a place in a leaf. */
class LeafSide {
  readonly node: NodeView;
  index = 0;
  nrEntries = 0;
  /** Word offset of the leaf's first key. */
  firstKey = 0;
  readonly #scanner: BlockScanner;
  readonly #blocks: readonly number[];
  readonly #keys: readonly number[];
  /** Leaf by leaf; and which of them are in memory. */
  #leaf = 0;
  #loadedFrom = 0;
  #loadedTo = 0;
  #isOpen = false;
  #lastKey = -1;

  constructor(image: ThinImage, { blocks, keys }: LeafList) {
    this.#scanner = new BlockScanner(image.device, BATCH);
    this.node = new NodeView(this.#scanner.slab);
    this.#blocks = blocks;
    this.#keys = keys;
  }

  /** Whether no entry of the leaf it stands at has been taken. Such a leaf need not be in memory. */
  get isAtBegin(): boolean {
    return this.#leaf < this.#blocks.length && (!this.#isOpen || this.index === 0);
  }

  get block(): number {
    return this.#blocks[this.#leaf]!;
  }

  /** Moves to an entry that was not taken yet. False at the end. */
  ready(): boolean {
    while (this.#leaf < this.#blocks.length) {
      if (!this.#isOpen) this.#open();
      if (this.index < this.nrEntries) return true;
      this.skipLeaf();
    }
    return false;
  }

  skipLeaf(): void {
    this.#leaf++;
    this.#isOpen = false;
    this.index = 0;
  }

  #open(): void {
    const leaf = this.#leaf;
    if (leaf >= this.#loadedTo || leaf < this.#loadedFrom) {
      const batch = this.#blocks.slice(leaf, leaf + BATCH);
      loadNodes(this.#scanner, batch);
      this.#loadedFrom = leaf;
      this.#loadedTo = leaf + batch.length;
    }
    const { node } = this;
    node.base = this.#scanner.base(leaf - this.#loadedFrom);
    if (!node.isLeaf || node.valueSize !== 8) throw outOfPlace(this.block, 'is no leaf of mappings');
    this.nrEntries = node.nrEntries;
    this.firstKey = node.base + NODE_HEADER.size / 4;
    this.index = 0;
    this.#isOpen = true;
    this.#checkKeys();
  }

  #checkKeys(): void {
    const { node, nrEntries } = this;
    if (nrEntries === 0) return;
    const first = node.keyAt(0);
    const end = this.#keys[this.#leaf + 1] ?? Number.POSITIVE_INFINITY;
    if (first < this.#keys[this.#leaf]! || first <= this.#lastKey || node.keyAt(nrEntries - 1) >= end) {
      throw new CorruptionError(`Cannot read a tree: btree_node block ${this.block} has keys outside its range`, {
        block: this.block,
        kind: 'btree_node',
      });
    }
    this.#lastKey = node.keyAt(nrEntries - 1);
  }
}

function dataAt(node: NodeView, index: number): number {
  return dataIn(node.words, node.valueAt(index) >>> 2);
}

/** The data block of a mapping, whose value begins with word `word`. */
function dataIn(words: Uint32Array, word: number): number {
  return words[word + 1]! * 256 + (words[word]! >>> 24);
}

/** A leaf that both sides have: read once. */
function shareLeaf(side: LeafSide, runs: DeltaRuns): void {
  if (!side.ready()) return;
  const { node, nrEntries } = side;
  for (let i = side.index; i < nrEntries; i++) {
    const data = dataAt(node, i);
    runs.add('same', node.keyAt(i), data, data);
  }
}

/** Compares until one of the two leaves is used up. The hot loop: keys are compared by halves, and no view is asked twice. */
function mergeLeaves(left: LeafSide, right: LeafSide, runs: DeltaRuns): void {
  const a = left.node.words;
  const b = right.node.words;
  // From a key to its value.
  const leftGap = (left.node.valueAt(0) >>> 2) - left.firstKey;
  const rightGap = (right.node.valueAt(0) >>> 2) - right.firstKey;
  const leftEnd = left.firstKey + 2 * left.nrEntries;
  const rightEnd = right.firstKey + 2 * right.nrEntries;
  let i = left.firstKey + 2 * left.index;
  let j = right.firstKey + 2 * right.index;
  while (i < leftEnd && j < rightEnd) {
    const leftHigh = a[i + 1]!;
    const rightHigh = b[j + 1]!;
    const leftLow = a[i]!;
    const rightLow = b[j]!;
    if (leftHigh < rightHigh || (leftHigh === rightHigh && leftLow < rightLow)) {
      runs.add('left_only', leftHigh * TWO_POW_32 + leftLow, dataIn(a, i + leftGap), -1);
      i += 2;
    } else if (leftHigh !== rightHigh || leftLow !== rightLow) {
      runs.add('right_only', rightHigh * TWO_POW_32 + rightLow, -1, dataIn(b, j + rightGap));
      j += 2;
    } else {
      const leftData = dataIn(a, i + leftGap);
      const rightData = dataIn(b, j + rightGap);
      const kind = leftData === rightData ? 'same' : 'different';
      runs.add(kind, leftHigh * TWO_POW_32 + leftLow, leftData, rightData);
      i += 2;
      j += 2;
    }
  }
  left.index = (i - left.firstKey) / 2;
  right.index = (j - right.firstKey) / 2;
}

function restOf(side: LeafSide, kind: 'left_only' | 'right_only', runs: DeltaRuns): void {
  const { node } = side;
  for (let i = side.index; i < side.nrEntries; i++) {
    const data = dataAt(node, i);
    runs.add(kind, node.keyAt(i), kind === 'left_only' ? data : -1, kind === 'right_only' ? data : -1);
  }
}

/** Puts neighbours of one kind together. */
class DeltaRuns {
  readonly #visit: DeltaVisitor;
  readonly #isExact: boolean;
  #kind: DeltaKind = 'same';
  #begin = 0;
  #length = 0;
  #left = 0;
  #right = 0;

  constructor(visit: DeltaVisitor, isExact: boolean) {
    this.#visit = visit;
    this.#isExact = isExact;
  }

  add(kind: DeltaKind, virtual: number, left: number, right: number): void {
    const length = this.#length;
    if (length > 0 && kind === this.#kind && virtual === this.#begin + length && this.#advances(left, right)) {
      this.#length = length + 1;
      return;
    }
    this.flush();
    this.#kind = kind;
    this.#begin = virtual;
    this.#left = left;
    this.#right = right;
    this.#length = 1;
  }

  #advances(left: number, right: number): boolean {
    if (!this.#isExact) return true;
    const length = this.#length;
    return (left < 0 || left === this.#left + length) && (right < 0 || right === this.#right + length);
  }

  flush(): void {
    if (this.#length > 0) this.#visit(this.#kind, this.#begin, this.#length, this.#left, this.#right);
    this.#length = 0;
  }
}
