import { assert, CorruptionError, Slab } from '../base/index.ts';
import { type BlockValidator, METADATA_BLOCK_SIZE, WORDS_PER_BLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';

/** Blocks that can be loaded at once; sorting packs an index below this beside each block number. */
const MAX_CAPACITY = 1024;

/**
 * Reads blocks in bulk, for checks and dumps: a batch at a time, in order of block numbers and neighbours with one call. No cache, so that
 * a walk over gigabytes takes the memory of one batch, and no lock.
 */
export class BlockScanner {
  readonly device: BlockDevice;
  /** The memory of the batch that was loaded last. */
  readonly slab: Slab;
  /** Blocks per batch. */
  readonly capacity: number;
  /** Blocks read so far. */
  nrRead = 0;
  /** Word offset, in {@link slab}, of each block of the batch. */
  readonly #bases: Int32Array;
  readonly #sorted: Float64Array;
  /** Why blocks of the batch could not be read, by their index in it. Empty as a rule. */
  readonly #failures = new Map<number, unknown>();

  /** @param capacity - Blocks per batch, 1 to 1024. */
  constructor(device: BlockDevice, capacity = 256) {
    assert(capacity >= 1 && capacity <= MAX_CAPACITY, `a batch has 1 to ${MAX_CAPACITY} blocks`);
    this.device = device;
    this.capacity = capacity;
    // Blocks of a batch are different: a small device fills no more.
    this.slab = Slab.ofSize(Math.min(capacity, device.nrBlocks) * METADATA_BLOCK_SIZE);
    this.#bases = new Int32Array(capacity);
    this.#sorted = new Float64Array(capacity);
  }

  /**
   * Loads a batch: the first `count` of `blocks`, all different and inside the device, in any order. What was loaded before is gone. A block
   * that cannot be read makes {@link problem} speak, and nothing throws.
   */
  load(blocks: ArrayLike<number>, count: number): void {
    assert(count <= this.capacity && count * METADATA_BLOCK_SIZE <= this.slab.bytes.length, 'the batch fits');
    this.#failures.clear();
    const sorted = this.#sort(blocks, count);
    for (let begin = 0; begin < count; ) {
      const first = Math.floor(sorted[begin]! / MAX_CAPACITY);
      let end = begin + 1;
      while (end < count && Math.floor(sorted[end]! / MAX_CAPACITY) === first + (end - begin)) end++;
      this.#readRun(sorted, begin, end, first);
      begin = end;
    }
    this.nrRead += count;
  }

  /** Loads a batch of one. */
  loadOne(block: number): void {
    this.load([block], 1);
  }

  /** Word offset, in {@link slab}, of block `index` of the batch. */
  base(index: number): number {
    return this.#bases[index]!;
  }

  /** Why block `index` of the batch (which is block `block`) cannot be believed; `undefined` when it can. */
  problem(index: number, block: number, validator: BlockValidator): Error | undefined {
    const failure = this.#failures.get(index);
    if (failure !== undefined) return failure instanceof Error ? failure : new Error(String(failure));
    try {
      validator.check(this.slab, this.#bases[index]!, block);
      return undefined;
    } catch (error) {
      if (error instanceof CorruptionError) return error;
      throw error;
    }
  }

  /** Block numbers in order, each with its index in the batch packed below it. */
  #sort(blocks: ArrayLike<number>, count: number): Float64Array {
    const sorted = this.#sorted.subarray(0, count);
    let isSorted = true;
    for (let i = 0; i < count; i++) {
      sorted[i] = blocks[i]! * MAX_CAPACITY + i;
      if (i > 0 && sorted[i]! < sorted[i - 1]!) isSorted = false;
    }
    if (!isSorted) sorted.sort();
    return sorted;
  }

  /** Reads the neighbours at `begin..end` of the sorted batch; their places are in the order of their numbers. */
  #readRun(sorted: Float64Array, begin: number, end: number, first: number): void {
    for (let i = begin; i < end; i++) this.#bases[sorted[i]! % MAX_CAPACITY] = i * WORDS_PER_BLOCK;
    const bytes = this.slab.bytes.subarray(begin * METADATA_BLOCK_SIZE, end * METADATA_BLOCK_SIZE);
    try {
      this.device.read(first, [bytes]);
    } catch (error) {
      // One bad block must not take its neighbours with it.
      if (end - begin === 1) this.#failures.set(sorted[begin]! % MAX_CAPACITY, error);
      else for (let i = begin; i < end; i++) this.#readRun(sorted, i, i + 1, first + i - begin);
    }
  }
}
