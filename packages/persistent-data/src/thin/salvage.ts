import { BlockScanner } from '../disk-space-map/index.ts';
import { NODE_VALIDATOR, NodeView } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { MappingRuns } from './mapping-runs.ts';

/** No believable tree is this high. */
const MAX_HEIGHT = 32;
/** Behind the last virtual block. */
const NO_END = Number.POSITIVE_INFINITY;

/** Gets what can be read of a device's mappings, and what cannot, in the order of virtual blocks. */
export interface SalvageVisitor {
  /** A run of mappings with one time. */
  map(virtualBegin: number, dataBegin: number, length: number, time: number): void;
  /** Virtual blocks whose mappings, if there were any, cannot be read; half-open, `end` may be Infinity. `block` is the metadata block at fault. */
  lost(begin: number, end: number, block: number): void;
}

/** A node that is not read yet, or that cannot be: the virtual blocks below it, half-open. */
interface Part {
  readonly block: number;
  readonly begin: number;
  readonly end: number;
  readonly isLost: boolean;
}

/**
 * Gives all mappings of a device that can still be read, whatever is damaged: each node that cannot be believed costs the virtual blocks below it, and no
 * other. Reads leaves in batches; takes some 60 bytes of memory a leaf.
 */
export function salvageMappings(device: BlockDevice, root: number, visitor: SalvageVisitor): void {
  new Salvage(device, visitor).run(root);
}

class Salvage {
  readonly #scanner: BlockScanner;
  readonly #node: NodeView;
  readonly #visitor: SalvageVisitor;
  readonly #runs: MappingRuns;
  /** Nodes listed so far: more than there are blocks are damage. */
  #nrListed = 0;

  constructor(device: BlockDevice, visitor: SalvageVisitor) {
    this.#scanner = new BlockScanner(device);
    this.#node = new NodeView(this.#scanner.slab);
    this.#visitor = visitor;
    this.#runs = new MappingRuns({ map: (...run) => visitor.map(...run) });
  }

  run(root: number): void {
    let parts: Part[] = [{ block: root, begin: 0, end: NO_END, isLost: false }];
    const height = this.#heightOf(root);
    for (let depth = 0; depth < height; depth++) {
      const next: Part[] = [];
      this.#forEach(parts, (part, isReadable) => {
        if (!isReadable || this.#node.isLeaf || !this.#list(part, next)) next.push({ ...part, isLost: true });
      });
      parts = next;
    }
    this.#forEach(parts, (part, isReadable) => {
      if (isReadable && this.#node.isLeaf && this.#node.valueSize === 8 && this.#isInOrder(part)) this.#leaf();
      else {
        this.#runs.flush();
        this.#visitor.lost(part.begin, part.end, part.block);
      }
    });
    this.#runs.flush();
  }

  /** Internal nodes above the leaves, along the first way down that can be read. */
  #heightOf(root: number): number {
    let height = 0;
    let heights = [root];
    while (heights.length > 0 && height < MAX_HEIGHT) {
      const children: number[] = [];
      for (const block of heights) {
        if (!this.#read([block])) continue;
        this.#node.base = this.#scanner.base(0);
        if (this.#node.isLeaf) return height;
        for (let i = 0; i < this.#node.nrEntries; i++) children.push(this.#node.childAt(i));
        break;
      }
      heights = children;
      height++;
    }
    return height;
  }

  #read(blocks: readonly number[]): boolean {
    const { nrBlocks } = this.#scanner.device;
    if (blocks.some((block) => block === 0 || block >= nrBlocks)) return false;
    this.#scanner.load(blocks, blocks.length);
    return blocks.every((block, i) => this.#scanner.problem(i, block, NODE_VALIDATOR) === undefined);
  }

  /** Reads the nodes of a list in batches; the view is at the node where it can be believed. */
  #forEach(parts: readonly Part[], visit: (part: Part, isReadable: boolean) => void): void {
    const scanner = this.#scanner;
    const { nrBlocks } = scanner.device;
    for (let begin = 0; begin < parts.length; begin += scanner.capacity) {
      const batch = parts.slice(begin, begin + scanner.capacity);
      const isThere = ({ block, isLost }: Part): boolean => !isLost && block !== 0 && block < nrBlocks;
      const blocks = [...new Set(batch.filter(isThere).map(({ block }) => block))];
      scanner.load(blocks, blocks.length);
      const indexOf = new Map(blocks.map((block, i) => [block, i]));
      for (const part of batch) {
        const index = indexOf.get(part.block);
        const isReadable =
          index !== undefined && isThere(part) && scanner.problem(index, part.block, NODE_VALIDATOR) === undefined;
        if (isReadable) this.#node.base = scanner.base(index);
        visit(part, isReadable);
      }
    }
  }

  /** Lists the children of an internal node; false, and nothing, when its keys cannot be believed. */
  #list({ begin, end }: Part, next: Part[]): boolean {
    const node = this.#node;
    const { nrEntries } = node;
    this.#nrListed += nrEntries;
    if (this.#nrListed > 2 * this.#scanner.device.nrBlocks) return false;
    for (let i = 0; i < nrEntries; i++) {
      const key = node.keyAt(i);
      if (key < begin || key >= end || (i > 0 && key <= node.keyAt(i - 1))) return false;
    }
    for (let i = 0; i < nrEntries; i++) {
      // What lies before the first key belongs to no child; it is empty.
      const to = i + 1 < nrEntries ? node.keyAt(i + 1) : end;
      next.push({ block: node.childAt(i), begin: node.keyAt(i), end: to, isLost: false });
    }
    return true;
  }

  #isInOrder({ begin, end }: Part): boolean {
    const node = this.#node;
    let last = begin - 1;
    for (let i = 0; i < node.nrEntries; i++) {
      const key = node.keyAt(i);
      if (key <= last || key >= end || key > Number.MAX_SAFE_INTEGER) return false;
      last = key;
    }
    return true;
  }

  #leaf(): void {
    const node = this.#node;
    const { words, nrEntries } = node;
    const values = node.valueAt(0) >>> 2;
    for (let i = 0; i < nrEntries; i++) {
      const low = words[values + 2 * i]!;
      this.#runs.add(node.keyAt(i), words[values + 2 * i + 1]! * 256 + (low >>> 24), low & 0xff_ffff);
    }
  }
}
