import { assert, type PersistentDataError, ReadOnlyError, type Slab, UnsupportedError } from '../base/index.ts';
import { type BlockValidator, WORD_SHIFT, WORDS_PER_BLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { otherKind, outsideDevice } from './block-errors.ts';
import { LatchedDevice } from './latched-device.ts';
import { SlotTable } from './slot-table.ts';
import type { BlockManagerStatistics } from './statistics.ts';

export interface BlockManagerOptions {
  /** Size of the cache in 4096-byte blocks: all the memory the manager takes for blocks. Default 16384 (64 MiB), at least 32. */
  readonly cacheBlocks?: number;
  /** Refuses all writing. Default: what the device says. */
  readonly readOnly?: boolean;
  /**
   * A write that fails because the host's file system is full (`NoSpaceError`) does not latch: what was to be written stays dirty, and
   * the owner goes back to its last commit with {@link BlockManager.forgetDirty}. Default false.
   */
  readonly survivesFullHost?: boolean;
}

export const DEFAULT_CACHE_BLOCKS = 16384;
const MIN_CACHE_BLOCKS = 32;
/** Blocks are numbered in 31 bits in core. */
const MAX_DEVICE_BLOCKS = 2 ** 31;
/** Dirty blocks written out together when memory is short: enough that neighbours on the disk go out in one call. */
const PRESSURE_BATCH = 1024;

/**
 * A cache of 4096-byte blocks over a device, with a lock per block and a validator per kind of block.
 *
 * A block's place is the word offset of its first word in {@link slab}: all methods that lock or read answer it. A read without a
 * lock ({@link read}) is valid until the next call of any method here; a locked block stays where it is until it is unlocked.
 *
 * Dirty blocks may be written at any time before {@link flush}. That is safe because all blocks but the superblock are written to
 * places that no committed structure refers to, and the superblock is dirtied last.
 *
 * After a failed write or flush nothing more is written, the cache is empty, and every call fails with that reason.
 */
export class BlockManager {
  /** The memory of all cached blocks. */
  readonly slab: Slab;
  readonly #device: LatchedDevice;
  readonly #slots: SlotTable;
  #nrBlocks: number;
  #readOnly: boolean;
  #hits = 0;
  #misses = 0;

  /** @throws {UnsupportedError} when the device is larger than 2^31 blocks (8 TiB). */
  constructor(device: BlockDevice, options: BlockManagerOptions = {}) {
    const capacity = options.cacheBlocks ?? DEFAULT_CACHE_BLOCKS;
    if (!Number.isSafeInteger(capacity) || capacity < MIN_CACHE_BLOCKS) {
      throw new RangeError(
        `Cannot make a cache: cacheBlocks is ${capacity}, an integer of at least ${MIN_CACHE_BLOCKS} is wanted`,
      );
    }
    if (device.nrBlocks > MAX_DEVICE_BLOCKS) {
      throw new UnsupportedError(`Cannot open device: it has ${device.nrBlocks} blocks, at most 2^31 are supported`);
    }
    this.#device = new LatchedDevice(device, {
      survivesFullHost: options.survivesFullHost ?? false,
      onFailure: () => {
        this.#readOnly = true;
        this.reset();
      },
    });
    this.#nrBlocks = device.nrBlocks;
    this.#readOnly = options.readOnly ?? device.readOnly;
    this.#slots = new SlotTable(capacity);
    this.slab = this.#slots.slab;
  }

  /** Blocks in the device. */
  get nrBlocks(): number {
    return this.#nrBlocks;
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** The failure that latched this manager, if any. */
  get failure(): PersistentDataError | undefined {
    return this.#device.failure;
  }

  /** @throws {ReadOnlyError} when the manager is latched: only opening again helps. */
  refuseIfFailed(action: string): void {
    this.#device.refuseIfFailed(action);
  }

  /** Locks held now. Between operations 0. */
  get nrLocked(): number {
    return this.#slots.nrLocked;
  }

  /** Blocks of the cache. */
  get capacity(): number {
    return this.#slots.capacity;
  }

  get statistics(): BlockManagerStatistics {
    return {
      hits: this.#hits,
      misses: this.#misses,
      reads: this.#device.reads,
      blocksRead: this.#device.blocksRead,
      writes: this.#device.writes,
      blocksWritten: this.#device.blocksWritten,
      flushes: this.#device.flushes,
      cached: this.#slots.nrCached,
      dirty: this.#slots.nrDirty,
    };
  }

  setReadOnly(): void {
    this.#readOnly = true;
  }

  /** @throws {ReadOnlyError} when the device itself is read-only. */
  setReadWrite(): void {
    if (this.#device.readOnly) {
      throw new ReadOnlyError('Cannot make the block manager writable: the device is read-only');
    }
    this.#readOnly = false;
  }

  /** The block whose place `base` is. */
  blockAt(base: number): number {
    return this.#slots.blockOf[base >>> WORD_SHIFT]!;
  }

  /** Whether `base` is still the place of block `b`: what a reader that holds no lock asks before it goes on. O(1). */
  isAt(base: number, b: number): boolean {
    return this.#slots.slotOf(b) === base >>> WORD_SHIFT;
  }

  isCached(b: number): boolean {
    return this.#slots.slotOf(b) >= 0;
  }

  /**
   * The place of block `b`, read from the device if it is not cached; no lock. Valid until the next call of any method.
   *
   * @throws {CorruptionError} when the block is outside the device, or its validator refuses it.
   * @throws {DeviceError} when the device cannot read it.
   */
  read(b: number, validator: BlockValidator): number {
    const slots = this.#slots;
    const slot = b < this.#nrBlocks ? slots.slotOf(b) : -1;
    if (slot < 0) return this.#miss(b, validator);
    if (slots.isWriteLocked(slot)) throw slots.usedTwice(slot);
    const known = slots.validators[slot];
    if (known !== validator) throw otherKind(b, known?.kind, validator.kind);
    slots.touch(slot);
    this.#hits++;
    return slot * WORDS_PER_BLOCK;
  }

  /** As {@link read}, but answers -1 instead of reading from the device. */
  tryRead(b: number, validator: BlockValidator): number {
    return this.isCached(b) ? this.read(b, validator) : -1;
  }

  /** Locks block `b` for reading, any number of times, and answers its place. */
  readLock(b: number, validator: BlockValidator): number {
    const base = this.read(b, validator);
    this.#slots.lockForReading(base >>> WORD_SHIFT);
    return base;
  }

  /**
   * Locks block `b` for writing and answers its place; it is dirty from now on.
   * @throws {ReadOnlyError} in read-only mode.
   */
  writeLock(b: number, validator: BlockValidator): number {
    this.#refuseIfReadOnly(b);
    const base = this.read(b, validator);
    this.#slots.lockForWriting(base >>> WORD_SHIFT);
    return base;
  }

  /**
   * As {@link read}, for a caller who changes the block at once, and calls no method meanwhile: it is dirty from now on. Saves a lock.
   * @throws {ReadOnlyError} in read-only mode.
   */
  readToChange(b: number, validator: BlockValidator): number {
    this.#refuseIfReadOnly(b);
    const base = this.read(b, validator);
    const slot = base >>> WORD_SHIFT;
    if (this.#slots.isLocked(slot)) throw this.#slots.usedTwice(slot);
    this.#slots.markDirty(slot);
    return base;
  }

  /** Locks block `b` for writing without reading it; its content is 4096 zero bytes, its kind the new validator's. */
  writeLockZero(b: number, validator: BlockValidator): number {
    const base = this.writeLockFresh(b, validator);
    this.slab.words.fill(0, base, base + WORDS_PER_BLOCK);
    return base;
  }

  /** As {@link writeLockZero}, but the content is undefined: for a caller who overwrites all of it. */
  writeLockFresh(b: number, validator: BlockValidator): number {
    this.#refuseIfReadOnly(b);
    if (!(b < this.#nrBlocks)) throw outsideDevice(b, validator.kind, this.#nrBlocks);
    let slot = this.#slots.slotOf(b);
    if (slot < 0) slot = this.#slots.take(b, this.#clean);
    this.#slots.lockForWriting(slot);
    this.#slots.validators[slot] = validator;
    return slot * WORDS_PER_BLOCK;
  }

  /**
   * As {@link writeLockFresh}, with the content of block `from`, which the disk has and which is not wanted soon: its place in memory becomes that of `b`.
   * Saves a copy of 4 KiB into memory that is mostly touched for the first time (bench: `kv`, random overwrite).
   *
   * @returns -1 when that can't be, because `from` is dirty or locked: then nothing has happened.
   */
  writeLockMoved(b: number, from: number, validator: BlockValidator): number {
    this.#refuseIfReadOnly(b);
    if (!(b < this.#nrBlocks)) throw outsideDevice(b, validator.kind, this.#nrBlocks);
    const base = this.read(from, validator);
    const slot = base >>> WORD_SHIFT;
    if (this.#slots.isDirty(slot) || this.#slots.isLocked(slot)) return -1;
    this.#slots.rename(slot, b);
    this.#slots.lockForWriting(slot);
    return base;
  }

  /** Gives back one lock on the block at `base`. */
  unlock(base: number): void {
    this.#slots.unlock(base >>> WORD_SHIFT);
  }

  /**
   * Reads blocks into the cache that will be wanted soon, in runs of neighbours, one call each. Says nothing of errors: who wants
   * the block will meet them. Takes no more than a quarter of the cache.
   */
  prefetch(blocks: Iterable<number>, validator: BlockValidator): void {
    if (this.#device.failure !== undefined) return;
    const wanted: number[] = [];
    for (const b of blocks) if (b < this.#nrBlocks && !this.isCached(b)) wanted.push(b);
    if (wanted.length === 0) return;
    const distinct = [...new Set(wanted)].sort((a, b) => a - b).slice(0, this.capacity >>> 2);
    for (let i = 0; i < distinct.length; ) {
      let end = i + 1;
      while (end < distinct.length && distinct[end] === distinct[end - 1]! + 1) end++;
      this.#prefetchRun(distinct.slice(i, end), validator);
      i = end;
    }
  }

  /** Writes all dirty blocks, in order of their numbers and neighbours in one call, then flushes the device. */
  flush(): void {
    this.writeDirty();
    this.#device.flush();
  }

  /** As {@link flush}; the waiting happens off the main thread where the device can. Blocks dirtied meanwhile are not covered. */
  async flushAsync(): Promise<void> {
    this.writeDirty();
    await this.flushDeviceAsync();
  }

  /** Flushes the device alone, off the main thread where it can. */
  async flushDeviceAsync(): Promise<void> {
    await this.#device.flushAsync();
  }

  /** Writes all dirty blocks without flushing the device. */
  writeDirty(): void {
    this.#device.refuseIfFailed('write');
    const slots = this.#slots.dirtySlots();
    if (slots.length === 0) return;
    if (this.#readOnly) throw new ReadOnlyError('Cannot write dirty blocks: the block manager is read-only');
    for (const slot of slots) {
      assert(!this.#slots.isWriteLocked(slot), 'no block is write-locked while dirty blocks are written');
    }
    this.#writeSlots(slots);
  }

  /** Writes one block if it is dirty, without flushing the device: for a superblock that goes out alone. */
  writeBlock(b: number): void {
    this.#device.refuseIfFailed('write');
    const slot = this.#slots.slotOf(b);
    if (slot >= 0 && this.#slots.isDirty(slot)) this.#writeSlots([slot]);
  }

  /** Forgets all cached contents, dirty ones as well, and all locks. What a rollback begins with. */
  reset(): void {
    this.#slots.reset();
  }

  /**
   * Forgets the content of dirty blocks, and all locks; what is clean stays. As good as {@link reset} for an owner who writes only to blocks
   * that its last commit does not use: nobody asks for those that were written early. Costs as much as there are dirty blocks.
   */
  forgetDirty(): void {
    this.#device.refuseIfFailed('roll back');
    this.#slots.forgetDirty();
  }

  /** Makes the device `nrBlocks` long, if it is not; then blocks up to there can be used. Blocks beyond are forgotten. */
  resize(nrBlocks: number): void {
    this.#device.refuseIfFailed('resize');
    this.#device.refuseResize(nrBlocks);
    // Growing forgets nothing, and must not look at each slot of a large cache: a loaded store grows hundreds of times.
    if (nrBlocks < this.#nrBlocks) this.#slots.forgetFrom(nrBlocks);
    this.#device.resize(nrBlocks);
    this.#nrBlocks = nrBlocks;
  }

  #miss(b: number, validator: BlockValidator): number {
    this.#device.refuseIfFailed('read');
    if (!(b < this.#nrBlocks)) throw outsideDevice(b, validator.kind, this.#nrBlocks);
    this.#misses++;
    const slot = this.#slots.take(b, this.#clean);
    const base = slot * WORDS_PER_BLOCK;
    try {
      this.#device.read(b, [this.#slots.bytesOf(slot)]);
      validator.check(this.slab, base, b);
    } catch (error) {
      this.#slots.drop(slot);
      throw error;
    }
    this.#slots.validators[slot] = validator;
    return base;
  }

  #prefetchRun(blocks: readonly number[], validator: BlockValidator): void {
    const taken: number[] = [];
    try {
      for (const b of blocks) {
        const slot = this.#slots.take(b, this.#clean);
        taken.push(slot);
        // Pinned meanwhile, so that taking the next slot does not evict it.
        this.#slots.pin(slot);
      }
      this.#device.read(
        blocks[0]!,
        taken.map((slot) => this.#slots.bytesOf(slot)),
      );
    } catch {
      // A failed write-out of a victim has latched the manager and emptied the cache already.
      if (this.#device.failure === undefined) for (const slot of taken) this.#slots.drop(slot);
      return;
    }
    for (const [i, slot] of taken.entries()) {
      try {
        validator.check(this.slab, slot * WORDS_PER_BLOCK, blocks[i]!);
        this.#slots.validators[slot] = validator;
        this.#slots.unlock(slot);
      } catch {
        this.#slots.drop(slot);
      }
    }
  }

  /** Memory is short: writes the victim, and other dirty blocks that nobody has locked. */
  readonly #clean = (victim: number): void => {
    this.#writeSlots(this.#slots.dirtyBatch(victim, PRESSURE_BATCH));
  };

  /** Seals and writes dirty slots, neighbours on the disk in one call. */
  #writeSlots(slots: number[]): void {
    const table = this.#slots;
    const { blockOf } = table;
    slots.sort((a, b) => blockOf[a]! - blockOf[b]!);
    for (let i = 0; i < slots.length; ) {
      const begin = blockOf[slots[i]!]!;
      const buffers: Uint8Array[] = [];
      do {
        const slot = slots[i]!;
        table.validators[slot]!.seal(this.slab, slot * WORDS_PER_BLOCK, blockOf[slot]!);
        buffers.push(table.bytesOf(slot));
        i++;
      } while (i < slots.length && blockOf[slots[i]!] === begin + buffers.length);
      this.#device.write(begin, buffers);
    }
    for (const slot of slots) table.markClean(slot);
  }

  #refuseIfReadOnly(b: number): void {
    this.#device.refuseIfFailed('write');
    if (this.#readOnly) throw new ReadOnlyError(`Cannot lock block ${b} for writing: the block manager is read-only`);
  }
}
