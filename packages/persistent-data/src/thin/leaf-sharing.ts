import { CorruptionError } from '../base/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockReader } from '../transaction-manager/index.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;

/* What stands beside a leaf in the order of a device's leaves: a block, or one of these. */
const NOT_MET = 0;
const EDGE = -1;
const SEVERAL = -2;

/* Bits of a leaf. */
const MET = 1;
const SHARED = 2;

/** What is known of an internal node that was met. */
interface MetNode {
  readonly height: number;
  readonly first: number;
  readonly last: number;
  /** Whether more than one way leads to it, and what is below it was told so. */
  isShared: boolean;
}

/**
 * Finds out which leaves of mapping trees belong to more than one device, and which of these always stand together: a *run* is a longest row
 * of leaves each of which is followed by the next one in every device that has it.
 *
 * Reads each internal node once, and no leaves but one for each height that is not known: all leaves of a tree are equally deep.
 * Memory: 9 bytes for each block that is a leaf, and one record per internal node.
 */
export class LeafSharing {
  readonly #reader: BlockReader;
  readonly #nodes = new Map<number, MetNode>();
  readonly #leafBits: Uint8Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #view: NodeView;

  constructor(reader: BlockReader) {
    const { nrBlocks, slab } = reader.blockManager;
    this.#reader = reader;
    this.#leafBits = new Uint8Array(nrBlocks);
    this.#next = new Int32Array(nrBlocks);
    this.#previous = new Int32Array(nrBlocks);
    this.#view = new NodeView(slab);
  }

  /**
   * Takes in the tree of a device.
   * @returns Its height: internal nodes from the root down to a leaf.
   * @throws {CorruptionError} when an internal node is not believable, or a leaf is less deep than another.
   */
  add(root: number): number {
    const height = this.#heightOf(root);
    const { first, last } = this.#visit(root, height, []);
    this.#link(EDGE, first);
    this.#link(last, EDGE);
    return height;
  }

  /** Whether more than one way leads to a leaf. */
  isShared(leaf: number): boolean {
    return (this.#leafBits[leaf]! & SHARED) !== 0;
  }

  /** The leaf that follows this one in its run, or -1 at the end. */
  nextInRun(leaf: number): number {
    const next = this.#next[leaf]!;
    return next > 0 && this.#previous[next] === leaf ? next : -1;
  }

  /** Whether a leaf is the first of its run. */
  beginsRun(leaf: number): boolean {
    const previous = this.#previous[leaf]!;
    return !(previous > 0 && this.#next[previous] === leaf);
  }

  /** The first leaves of all shared runs, in order of block numbers. */
  *sharedRuns(): Generator<number, void> {
    for (let leaf = 0; leaf < this.#leafBits.length; leaf++) {
      if (this.isShared(leaf) && this.beginsRun(leaf)) yield leaf;
    }
  }

  /** Goes down the first children until something is known. */
  #heightOf(root: number): number {
    const path: number[] = [];
    for (let block = root; path.length < MAX_HEIGHT; ) {
      const known = this.#leafBits[block] !== 0 ? 0 : this.#nodes.get(block)?.height;
      if (known !== undefined) return known + path.length;
      path.push(block);
      const node = this.#read(block, path);
      if (node.isLeaf) return path.length - 1;
      block = node.childAt(0);
    }
    throw corrupt(root, path, `has more than ${MAX_HEIGHT} nodes above its leaves`);
  }

  /** Visits a node, and what is below it if it was not met before. Answers its first and last leaf. */
  #visit(block: number, height: number, above: readonly number[]): { first: number; last: number } {
    if (!(block > 0 && block < this.#leafBits.length)) throw corrupt(block, above, 'is outside the device');
    if (height === 0) {
      if (this.#nodes.has(block)) throw corrupt(block, above, 'is a leaf here, and elsewhere it is none');
      this.#leafBits[block]! |= this.#leafBits[block] === 0 ? MET : SHARED;
      return { first: block, last: block };
    }
    const met = this.#nodes.get(block);
    if (met === undefined) return this.#enter(block, height, [...above, block]);
    if (met.height !== height) throw corrupt(block, above, 'is less deep here than elsewhere');
    this.#share(block, met);
    return met;
  }

  #enter(block: number, height: number, path: readonly number[]): MetNode {
    if (this.#leafBits[block] !== 0) throw corrupt(block, path, 'is internal here, and elsewhere a leaf');
    let first = EDGE;
    let last = EDGE;
    for (const child of this.#children(block, path)) {
      const below = this.#visit(child, height - 1, path);
      if (first === EDGE) first = below.first;
      else this.#link(last, below.first);
      last = below.last;
    }
    const met = { height, first, last, isShared: false };
    this.#nodes.set(block, met);
    return met;
  }

  /** Marks all leaves below a node as shared. */
  #share(block: number, met: MetNode): void {
    if (met.isShared) return;
    met.isShared = true;
    for (const child of this.#children(block, [block])) {
      if (met.height === 1) this.#leafBits[child]! |= SHARED;
      else this.#share(child, this.#nodes.get(child)!);
    }
  }

  /** Notes that one leaf follows another, or begins or ends a device. */
  #link(a: number, b: number): void {
    if (a !== EDGE) this.#next[a] = this.#next[a] === NOT_MET || this.#next[a] === b ? b : SEVERAL;
    if (b !== EDGE) this.#previous[b] = this.#previous[b] === NOT_MET || this.#previous[b] === a ? a : SEVERAL;
  }

  #children(block: number, path: readonly number[]): number[] {
    const node = this.#read(block, path);
    if (node.isLeaf) throw corrupt(block, path, 'is a leaf, less deep than others of its tree');
    return Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
  }

  #read(block: number, path: readonly number[]): NodeView {
    try {
      this.#view.base = this.#reader.read(block, NODE_VALIDATOR);
    } catch (error) {
      if (error instanceof CorruptionError) {
        throw new CorruptionError(error.message, { ...error, path: [...path] }, { cause: error });
      }
      throw error;
    }
    return this.#view;
  }
}

function corrupt(block: number, path: readonly number[], why: string): CorruptionError {
  const place = { block, kind: 'btree_node', path: [...path] };
  return new CorruptionError(`Cannot use btree_node block ${block}: it ${why}`, place);
}
