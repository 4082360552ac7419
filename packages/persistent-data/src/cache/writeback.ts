import type { BlockDevice } from '../io/index.ts';
import { DirtyBlocks } from './clean-blocks.ts';
import { blockBytesOf, forEachAtRisk } from './detach.ts';
import { CacheReader } from './read-arrays.ts';

/** A device with data, addressed in bytes. */
export interface DataDevice {
  readonly sizeBytes: number;
  /** Reads `target.length` bytes at `offset`; all of them. */
  read(target: Uint8Array, offset: number): void;
  write(source: Uint8Array, offset: number): void;
  /** Makes all that was written durable. */
  flush(): void;
}

/** What to write back, and how. */
export interface WritebackOptions {
  readonly metadata: BlockDevice;
  readonly fast: DataDevice;
  readonly origin: DataDevice;
  /** Where data begins on the devices, in bytes. Default 0. */
  readonly fastOffset?: number;
  readonly originOffset?: number;
  /** Memory for data, in bytes; one block at least. Default 64 MiB. Dirty bits are cleared as often as that much was copied. */
  readonly bufferBytes?: number;
  /** Leaves the metadata as it is: all stays dirty. */
  readonly keepMetadata?: boolean;
  /** How often a block that failed is tried again. Default 0. */
  readonly retries?: number;
}

/** A block that could not be copied, and why. */
export interface FailedBlock {
  readonly cacheBlock: number;
  readonly originBlock: number;
  /** Whether it could not be read from the fast device, or written to the origin. */
  readonly step: 'read' | 'write';
  readonly reason: string;
}

/** How far it is. */
export interface WritebackProgress {
  /** Blocks dealt with, copied or not. */
  readonly done: number;
  readonly total: number;
}

const DEFAULT_BUFFER = 64 * 2 ** 20;

/**
 * Copies the dirty blocks of a cache that nobody uses to its origin; after a crash, all blocks. Blocks are read and written a buffer at a time; then the
 * origin is flushed, and only then are their dirty bits cleared, in one commit. So it may end anywhere: what was not cleared is done again the next
 * time. A block that fails is left dirty, and the others go on.
 *
 * Memory: the buffer, and 16 bytes per dirty block.
 */
export class CacheWriteback {
  readonly #options: WritebackOptions;
  readonly #blockBytes: number;
  readonly #blocks: { readonly cache: Float64Array; readonly origin: Float64Array };
  readonly failed: FailedBlock[] = [];
  nrCopied = 0;

  /** Reads what is to be copied. @throws {CorruptionError} when the metadata cannot be believed. */
  constructor(options: WritebackOptions) {
    this.#options = options;
    const reader = new CacheReader(options.metadata);
    this.#blockBytes = blockBytesOf(reader.superblock);
    this.#blocks = listAtRisk(reader);
  }

  /** Blocks to be copied. */
  get nrBlocks(): number {
    return this.#blocks.cache.length;
  }

  /**
   * Does the work, a buffer at a time; the caller may stop between.
   * @throws what a flush of the origin throws: then nothing of the last buffer counts as copied.
   */
  *run(): Generator<WritebackProgress, void> {
    const { metadata, origin, keepMetadata = false, bufferBytes = DEFAULT_BUFFER } = this.#options;
    const total = this.nrBlocks;
    if (total === 0) return;
    const perBuffer = Math.max(1, Math.floor(bufferBytes / this.#blockBytes));
    const buffer = new Uint8Array(Math.min(perBuffer, total) * this.#blockBytes);
    const dirty = keepMetadata ? undefined : new DirtyBlocks(metadata);
    for (let begin = 0; begin < total; begin += perBuffer) {
      const end = Math.min(begin + perBuffer, total);
      const copied = this.#copy(begin, end, buffer);
      if (copied.length > 0) {
        origin.flush();
        dirty?.clean(copied);
        this.nrCopied += copied.length;
      }
      yield { done: end, total };
    }
  }

  /** Copies blocks `begin..end` of the list. Answers the cache blocks that the origin has now. */
  #copy(begin: number, end: number, buffer: Uint8Array): number[] {
    const { cache, origin } = this.#blocks;
    const read: number[] = [];
    for (let i = begin; i < end; i++)
      if (this.#tryBlock(i, 'read', part(buffer, i - begin, this.#blockBytes))) read.push(i);
    // In the order of the origin, which may be a disk with an arm.
    read.sort((a, b) => origin[a]! - origin[b]!);
    const written = read.filter((i) => this.#tryBlock(i, 'write', part(buffer, i - begin, this.#blockBytes)));
    return written.map((i) => cache[i]!).sort((a, b) => a - b);
  }

  #tryBlock(i: number, step: 'read' | 'write', bytes: Uint8Array): boolean {
    const { retries = 0 } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        this.#moveBlock(i, step, bytes);
        return true;
      } catch (error) {
        if (attempt < retries) continue;
        const reason = error instanceof Error ? error.message : String(error);
        const cacheBlock = this.#blocks.cache[i]!;
        this.failed.push({ cacheBlock, originBlock: this.#blocks.origin[i]!, step, reason });
        return false;
      }
    }
  }

  #moveBlock(i: number, step: 'read' | 'write', bytes: Uint8Array): void {
    const { fast, origin, fastOffset = 0, originOffset = 0 } = this.#options;
    const [device, offset, name] =
      step === 'read'
        ? [fast, fastOffset + this.#blocks.cache[i]! * this.#blockBytes, 'fast device']
        : [origin, originOffset + this.#blocks.origin[i]! * this.#blockBytes, 'origin'];
    const room = device.sizeBytes - offset;
    // The origin's last block may be a part of one.
    if (room <= 0 || (step === 'read' && room < bytes.length)) {
      throw new RangeError(`it is beyond the end of the ${name}, which has ${device.sizeBytes} bytes`);
    }
    if (step === 'read') device.read(bytes, offset);
    else device.write(bytes.subarray(0, Math.min(bytes.length, room)), offset);
  }
}

function part(buffer: Uint8Array, index: number, size: number): Uint8Array {
  return buffer.subarray(index * size, (index + 1) * size);
}

/** The blocks whose content the origin may not have. */
function listAtRisk(reader: CacheReader): { cache: Float64Array; origin: Float64Array } {
  let cache = new Float64Array(1024);
  let origin = new Float64Array(1024);
  let count = 0;
  forEachAtRisk(reader, (cacheBlock, originBlock) => {
    if (count === cache.length) {
      cache = grown(cache);
      origin = grown(origin);
    }
    cache[count] = cacheBlock;
    origin[count] = originBlock;
    count++;
  });
  return { cache: cache.subarray(0, count), origin: origin.subarray(0, count) };
}

function grown(list: Float64Array): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(2 * list.length);
  longer.set(list);
  return longer;
}
