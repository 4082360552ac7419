import { CorruptionError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import { type Root, readU64, walkTree } from '../btree/index.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import { ARRAY_HEADER, ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

/** Blocks that are read together. */
const BATCH = 32;

/** What to read. */
export interface ReadArray {
  readonly root: Root;
  /** Bytes of an element. */
  readonly valueSize: number;
  /** Elements that are wanted. */
  readonly length: number;
  /** What errors call it: `the era array`. */
  readonly name: string;
}

/**
 * Reads an array at rest, block by block, in order or not: no cache but one batch of blocks, and no object per element. Finding the blocks takes a
 * walk over the array's tree, when it is made; and a number per block.
 *
 * @throws {CorruptionError} from all methods when a block on the way cannot be believed, or the array is shorter than is wanted.
 */
export class ArrayReader {
  readonly perBlock: number;
  /** Array blocks that hold the wanted elements. */
  readonly nrBlocks: number;
  /** The elements of the block loaded last are in here. */
  words: Uint32Array;
  readonly #array: ReadArray;
  readonly #device: BlockDevice;
  readonly #blocks: number[] = [];
  #scanner: BlockScanner | undefined;
  #view: ArrayBlockView | undefined;
  /** Index of the first block of the batch that is in memory. */
  #first = -1;
  #end = -1;

  /** @param blockManager - Of the same device, for the nodes of the tree. */
  constructor(device: BlockDevice, blockManager: BlockManager, array: ReadArray) {
    this.#device = device;
    this.#array = array;
    this.perBlock = arrayEntriesFor(array.valueSize);
    this.nrBlocks = Math.ceil(array.length / this.perBlock);
    this.words = new Uint32Array(0);
    this.#list(blockManager);
  }

  /** Elements that are wanted of block `index`. */
  nrElements(index: number): number {
    return Math.min(this.perBlock, this.#array.length - index * this.perBlock);
  }

  /** Loads block `index`. Answers the word offset, in {@link words}, of its first element; good until the next call. */
  load(index: number): number {
    const scanner = this.#scanner ?? new BlockScanner(this.#device, Math.max(1, Math.min(BATCH, this.nrBlocks)));
    this.#scanner = scanner;
    if (index < this.#first || index >= this.#end) {
      this.#first = index;
      this.#end = Math.min(this.nrBlocks, index + scanner.capacity);
      scanner.load(this.#blocks.slice(this.#first, this.#end), this.#end - this.#first);
      this.words = scanner.slab.words;
    }
    const block = this.#blocks[index]!;
    const problem = scanner.problem(index - this.#first, block, ARRAY_VALIDATOR);
    if (problem !== undefined) throw problem;
    const view = this.#view ?? new ArrayBlockView(scanner.slab);
    this.#view = view;
    view.base = scanner.base(index - this.#first);
    const { valueSize } = this.#array;
    if (view.valueSize !== valueSize || view.maxEntries !== this.perBlock) {
      this.#refuse(block, 'valueSize', view.valueSize, `${this.perBlock} values of ${valueSize} bytes`);
    }
    const wanted = this.nrElements(index);
    if (view.nrEntries < wanted) this.#refuse(block, 'nrEntries', view.nrEntries, `${wanted} elements`);
    return view.base + ARRAY_HEADER.size / 4;
  }

  #list(blockManager: BlockManager): void {
    const { root } = this.#array;
    const reader = { blockManager, read: blockManager.read.bind(blockManager) };
    const blocks = this.#blocks;
    const isUsed = new Set<number>();
    walkTree(reader, root, { valueSize: 8 }, ({ node, block }) => {
      if (!node.isLeaf) return;
      for (let i = 0; i < node.nrEntries && blocks.length < this.nrBlocks; i++) {
        if (node.keyAt(i) !== blocks.length) {
          this.#refuse(block, 'keys', node.keyAt(i), `block ${blocks.length} of the array`);
        }
        const found = readU64(node.slab, node.valueAt(i));
        // What is read together are different blocks; and two blocks of one array are never the same.
        if (!(found < this.#device.nrBlocks) || isUsed.has(found)) {
          this.#refuse(block, 'values', found, `another one of the device's ${this.#device.nrBlocks} blocks`);
        }
        isUsed.add(found);
        blocks.push(found);
      }
    });
    if (blocks.length < this.nrBlocks) this.#refuse(root, 'keys', blocks.length, `${this.nrBlocks} blocks`);
  }

  #refuse(block: number, field: string, found: number, expected: string): never {
    const message = `Cannot read ${this.#array.name}: ${field} of block ${block} is ${found}, ${expected} is wanted`;
    throw new CorruptionError(message, { block, path: [this.#array.root, block], field, found, expected });
  }
}
