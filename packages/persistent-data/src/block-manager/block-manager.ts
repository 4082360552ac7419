import {
  assert,
  CorruptionError,
  DeviceError,
  PersistentDataError,
  ReadOnlyError,
  Slab,
  UnsupportedError,
} from '../base/index.ts';
import { type BlockValidator, METADATA_BLOCK_SIZE, WORD_SHIFT, WORDS_PER_BLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { BlockMap } from './block-map.ts';
import { CacheQueues } from './cache-queues.ts';

export interface BlockManagerOptions {
  /** Size of the cache in 4096-byte blocks: all the memory the manager takes for blocks. Default 16384 (64 MiB), at least 32. */
  readonly cacheBlocks?: number;
  /** Refuses all writing. Default: what the device says. */
  readonly readOnly?: boolean;
}

/** Counts since the manager was made. */
export interface BlockManagerStatistics {
  /** Blocks asked for that were in the cache. */
  readonly hits: number;
  /** Blocks asked for that had to be read. */
  readonly misses: number;
  /** Calls of the device's read, and the blocks they brought. */
  readonly reads: number;
  readonly blocksRead: number;
  /** Calls of the device's write, and the blocks they took. */
  readonly writes: number;
  readonly blocksWritten: number;
  readonly flushes: number;
  /** Blocks in the cache now, and how many of them are dirty. */
  readonly cached: number;
  readonly dirty: number;
}

export const DEFAULT_CACHE_BLOCKS = 16384;
const MIN_CACHE_BLOCKS = 32;
/** Dirty blocks written out together when memory is short: enough that neighbours on the disk go out in one call. */
const PRESSURE_BATCH = 1024;
const NOBODY = 0;
const WRITER = -1;

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
  readonly #device: BlockDevice;
  readonly #capacity: number;
  readonly #map = new BlockMap();
  readonly #queues: CacheQueues;
  readonly #blockOf: Uint32Array;
  /** Per slot: 0, the number of read locks, or -1 for a write lock. */
  readonly #locks: Int32Array;
  readonly #dirty: Uint8Array;
  readonly #validators: (BlockValidator | undefined)[];
  readonly #free: number[] = [];
  /** Slots that are dirty, and some that were; `#listed` says which are in it. */
  #dirtySlots: number[] = [];
  readonly #listed: Uint8Array;
  #nrBlocks: number;
  #readOnly: boolean;
  #failure: PersistentDataError | undefined;
  #nrLocked = 0;
  #nrDirty = 0;
  #evictions = 0;
  #hits = 0;
  #misses = 0;
  #reads = 0;
  #blocksRead = 0;
  #writes = 0;
  #blocksWritten = 0;
  #flushes = 0;
  readonly #slotState = { isPinned: (slot: number): boolean => this.#locks[slot] !== NOBODY };

  /** @throws {UnsupportedError} when the device is larger than 2^31 blocks (8 TiB). */
  constructor(device: BlockDevice, options: BlockManagerOptions = {}) {
    const capacity = options.cacheBlocks ?? DEFAULT_CACHE_BLOCKS;
    if (!Number.isSafeInteger(capacity) || capacity < MIN_CACHE_BLOCKS) {
      throw new RangeError(
        `Cannot make a cache: cacheBlocks is ${capacity}, an integer of at least ${MIN_CACHE_BLOCKS} is wanted`,
      );
    }
    if (device.nrBlocks > 2 ** 31) {
      throw new UnsupportedError(`Cannot open device: it has ${device.nrBlocks} blocks, at most 2^31 are supported`);
    }
    this.#device = device;
    this.#capacity = capacity;
    this.#nrBlocks = device.nrBlocks;
    this.#readOnly = options.readOnly ?? device.readOnly;
    this.slab = Slab.ofSize(capacity * METADATA_BLOCK_SIZE);
    this.#queues = new CacheQueues(capacity);
    this.#blockOf = new Uint32Array(capacity);
    this.#locks = new Int32Array(capacity);
    this.#dirty = new Uint8Array(capacity);
    this.#listed = new Uint8Array(capacity);
    this.#validators = new Array<BlockValidator | undefined>(capacity).fill(undefined);
    this.#freeAllSlots();
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
    return this.#failure;
  }

  /** Locks held now. Between operations 0. */
  get nrLocked(): number {
    return this.#nrLocked;
  }

  /** Blocks of the cache. */
  get capacity(): number {
    return this.#capacity;
  }

  get statistics(): BlockManagerStatistics {
    return {
      hits: this.#hits,
      misses: this.#misses,
      reads: this.#reads,
      blocksRead: this.#blocksRead,
      writes: this.#writes,
      blocksWritten: this.#blocksWritten,
      flushes: this.#flushes,
      cached: this.#capacity - this.#free.length,
      dirty: this.#nrDirty,
    };
  }

  setReadOnly(): void {
    this.#readOnly = true;
  }

  /** @throws {ReadOnlyError} when the device itself is read-only. */
  setReadWrite(): void {
    if (this.#device.readOnly)
      throw new ReadOnlyError('Cannot make the block manager writable: the device is read-only');
    this.#readOnly = false;
  }

  /** The block whose place `base` is. */
  blockAt(base: number): number {
    return this.#blockOf[base >>> WORD_SHIFT]!;
  }

  /** Whether `base` is still the place of block `b`: what a reader that holds no lock asks before it goes on. O(1). */
  isAt(base: number, b: number): boolean {
    return this.#blockOf[base >>> WORD_SHIFT] === b && this.#map.slot(b) === base >>> WORD_SHIFT;
  }

  isCached(b: number): boolean {
    return this.#map.slot(b) >= 0;
  }

  /**
   * The place of block `b`, read from the device if it is not cached; no lock. Valid until the next call of any method.
   *
   * @throws {CorruptionError} when the block is outside the device, or its validator refuses it.
   * @throws {DeviceError} when the device cannot read it.
   */
  read(b: number, validator: BlockValidator): number {
    const slot = b < this.#nrBlocks ? this.#map.slot(b) : -1;
    if (slot < 0) return this.#miss(b, validator);
    if (this.#locks[slot] === WRITER) throw this.#usedTwice(b, validator.kind);
    if (this.#validators[slot] !== validator) this.#refuseKind(b, slot, validator);
    this.#queues.used[slot] = 1;
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
    this.#locks[base >>> WORD_SHIFT]!++;
    this.#nrLocked++;
    return base;
  }

  /**
   * Locks block `b` for writing and answers its place; it is dirty from now on.
   * @throws {ReadOnlyError} in read-only mode.
   */
  writeLock(b: number, validator: BlockValidator): number {
    this.#refuseIfReadOnly(b);
    const base = this.read(b, validator);
    this.#lockForWriting(base >>> WORD_SHIFT);
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
    if (b >= this.#nrBlocks) throw this.#outside(b, validator.kind);
    let slot = this.#map.slot(b);
    if (slot < 0) slot = this.#takeSlot(b);
    if (this.#locks[slot] !== NOBODY) throw this.#usedTwice(b, validator.kind);
    this.#validators[slot] = validator;
    this.#lockForWriting(slot);
    return slot * WORDS_PER_BLOCK;
  }

  /** Gives back one lock on the block at `base`. */
  unlock(base: number): void {
    const slot = base >>> WORD_SHIFT;
    const lock = this.#locks[slot]!;
    assert(lock !== NOBODY, 'a block that is unlocked was locked');
    this.#locks[slot] = lock === WRITER ? NOBODY : lock - 1;
    this.#nrLocked--;
  }

  /**
   * Reads blocks into the cache that will be wanted soon, in runs of neighbours, one call each. Says nothing of errors: who wants
   * the block will meet them. Takes no more than a quarter of the cache.
   */
  prefetch(blocks: Iterable<number>, validator: BlockValidator): void {
    if (this.#failure !== undefined) return;
    const wanted = [...new Set(blocks)].filter((b) => b < this.#nrBlocks && !this.isCached(b)).sort((a, b) => a - b);
    wanted.length = Math.min(wanted.length, this.#capacity >>> 2);
    for (let i = 0; i < wanted.length; ) {
      let end = i + 1;
      while (end < wanted.length && wanted[end] === wanted[end - 1]! + 1) end++;
      this.#prefetchRun(wanted.slice(i, end), validator);
      i = end;
    }
  }

  /** Writes all dirty blocks, in order of their numbers and neighbours in one call, then flushes the device. */
  flush(): void {
    this.writeDirty();
    this.#callDevice(() => this.#device.flush(), 'flush');
    this.#flushes++;
  }

  /** As {@link flush}; the waiting happens off the main thread where the device can. Blocks dirtied meanwhile are not covered. */
  async flushAsync(): Promise<void> {
    this.writeDirty();
    await this.flushDeviceAsync();
  }

  /** Flushes the device alone, off the main thread where it can. */
  async flushDeviceAsync(): Promise<void> {
    this.#refuseIfFailed('flush');
    try {
      if (this.#device.flushAsync) await this.#device.flushAsync();
      else this.#device.flush();
    } catch (error) {
      throw this.#latch(error, 'flush');
    }
    this.#flushes++;
  }

  /** Writes all dirty blocks without flushing the device. */
  writeDirty(): void {
    this.#refuseIfFailed('write');
    const slots = this.#dirtySlots;
    if (slots.length === 0) return;
    if (this.#readOnly) throw new ReadOnlyError('Cannot write dirty blocks: the block manager is read-only');
    this.#dirtySlots = [];
    for (const slot of slots) {
      assert(this.#locks[slot] !== WRITER, 'no block is write-locked while dirty blocks are written');
      this.#listed[slot] = 0;
    }
    this.#writeSlots(slots.filter((slot) => this.#dirty[slot] === 1));
  }

  /** Writes one block if it is dirty, without flushing the device: for a superblock that goes out alone. */
  writeBlock(b: number): void {
    this.#refuseIfFailed('write');
    const slot = this.#map.slot(b);
    if (slot >= 0 && this.#dirty[slot] === 1) this.#writeSlots([slot]);
  }

  /** Forgets all cached contents, dirty ones as well, and all locks. What a rollback begins with. */
  reset(): void {
    this.#map.clear();
    this.#queues.clear();
    this.#locks.fill(NOBODY);
    this.#dirty.fill(0);
    this.#listed.fill(0);
    this.#validators.fill(undefined);
    this.#dirtySlots = [];
    this.#nrLocked = 0;
    this.#nrDirty = 0;
    this.#evictions = 0;
    this.#freeAllSlots();
  }

  /** Makes the device `nrBlocks` long, if it is not; then blocks up to there can be used. Blocks beyond are forgotten. */
  resize(nrBlocks: number): void {
    this.#refuseIfFailed('resize');
    if (nrBlocks !== this.#device.nrBlocks) {
      if (!this.#device.resize) throw new UnsupportedError('Cannot resize: the device has a fixed length');
      const resize = this.#device.resize.bind(this.#device, nrBlocks);
      if (nrBlocks < this.#nrBlocks) this.#forgetFrom(nrBlocks);
      this.#callDevice(resize, 'resize');
    }
    this.#nrBlocks = nrBlocks;
  }

  #miss(b: number, validator: BlockValidator): number {
    this.#refuseIfFailed('read');
    if (!(b < this.#nrBlocks)) throw this.#outside(b, validator.kind);
    this.#misses++;
    const slot = this.#takeSlot(b);
    const base = slot * WORDS_PER_BLOCK;
    try {
      this.#readInto(b, [this.#bytesOf(slot)]);
      validator.check(this.slab, base, b);
    } catch (error) {
      this.#dropSlot(slot);
      throw error;
    }
    this.#validators[slot] = validator;
    return base;
  }

  #prefetchRun(blocks: readonly number[], validator: BlockValidator): void {
    const slots: number[] = [];
    try {
      for (const b of blocks) {
        const slot = this.#takeSlot(b);
        slots.push(slot);
        // Pinned meanwhile, so that taking the next slot does not evict it.
        this.#locks[slot] = WRITER;
      }
      this.#readInto(
        blocks[0]!,
        slots.map((slot) => this.#bytesOf(slot)),
      );
    } catch {
      for (const slot of slots) this.#dropSlot(slot);
      return;
    }
    for (const [i, slot] of slots.entries()) {
      this.#locks[slot] = NOBODY;
      try {
        validator.check(this.slab, slot * WORDS_PER_BLOCK, blocks[i]!);
        this.#validators[slot] = validator;
      } catch {
        this.#dropSlot(slot);
      }
    }
  }

  #readInto(b: number, buffers: readonly Uint8Array[]): void {
    this.#device.read(b, buffers);
    this.#reads++;
    this.#blocksRead += buffers.length;
  }

  /** A slot for block `b`, which is not cached. The content is undefined. */
  #takeSlot(b: number): number {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#queues.victim(this.#slotState);
      assert(slot >= 0, 'some block of the cache is not locked');
      if (this.#dirty[slot] === 1) this.#writeForRoom(slot);
      this.#evictions++;
      this.#map.evict(this.#blockOf[slot]!, this.#evictions & 0x3fff_ffff);
    }
    const evictedAt = this.#map.evictedAt(b);
    const known = evictedAt >= 0 && ((this.#evictions - evictedAt) & 0x3fff_ffff) <= this.#capacity;
    this.#map.set(b, slot);
    this.#blockOf[slot] = b;
    this.#validators[slot] = undefined;
    this.#queues.add(slot, known);
    return slot;
  }

  /** Memory is short: writes the victim and other dirty blocks that nobody has locked. */
  #writeForRoom(victim: number): void {
    const batch = [victim];
    for (const slot of this.#dirtySlots) {
      if (batch.length >= PRESSURE_BATCH) break;
      if (slot !== victim && this.#dirty[slot] === 1 && this.#locks[slot] === NOBODY) batch.push(slot);
    }
    try {
      this.#writeSlots(batch);
    } finally {
      this.#dirtySlots = this.#dirtySlots.filter((slot) => {
        if (this.#dirty[slot] === 0) this.#listed[slot] = 0;
        return this.#dirty[slot] === 1;
      });
    }
  }

  /** Seals and writes dirty slots, neighbours on the disk in one call. */
  #writeSlots(slots: number[]): void {
    const blockOf = this.#blockOf;
    slots.sort((a, b) => blockOf[a]! - blockOf[b]!);
    for (let i = 0; i < slots.length; ) {
      const begin = blockOf[slots[i]!]!;
      const buffers: Uint8Array[] = [];
      do {
        const slot = slots[i]!;
        this.#validators[slot]!.seal(this.slab, slot * WORDS_PER_BLOCK, blockOf[slot]!);
        buffers.push(this.#bytesOf(slot));
        i++;
      } while (i < slots.length && blockOf[slots[i]!] === begin + buffers.length);
      this.#callDevice(
        () => this.#device.write(begin, buffers),
        `write blocks ${begin} to ${begin + buffers.length - 1}`,
      );
      this.#writes++;
      this.#blocksWritten += buffers.length;
    }
    for (const slot of slots) this.#dirty[slot] = 0;
    this.#nrDirty -= slots.length;
  }

  #lockForWriting(slot: number): void {
    if (this.#locks[slot] !== NOBODY)
      throw this.#usedTwice(this.#blockOf[slot]!, this.#validators[slot]?.kind ?? 'unknown');
    this.#locks[slot] = WRITER;
    this.#nrLocked++;
    if (this.#dirty[slot] === 1) return;
    this.#dirty[slot] = 1;
    this.#nrDirty++;
    if (this.#listed[slot] === 1) return;
    this.#listed[slot] = 1;
    this.#dirtySlots.push(slot);
  }

  #bytesOf(slot: number): Uint8Array {
    return this.slab.bytes.subarray(slot * METADATA_BLOCK_SIZE, (slot + 1) * METADATA_BLOCK_SIZE);
  }

  /** Gives a slot back whose block could not be read. */
  #dropSlot(slot: number): void {
    this.#locks[slot] = NOBODY;
    this.#validators[slot] = undefined;
    this.#map.set(this.#blockOf[slot]!, -1);
    this.#queues.remove(slot);
    if (this.#dirty[slot] === 1) {
      this.#dirty[slot] = 0;
      this.#nrDirty--;
    }
    this.#free.push(slot);
  }

  #forgetFrom(nrBlocks: number): void {
    for (let b = nrBlocks; b < this.#nrBlocks; b++) {
      const slot = this.#map.slot(b);
      if (slot >= 0) this.#dropSlot(slot);
    }
    this.#dirtySlots = this.#dirtySlots.filter((slot) => this.#dirty[slot] === 1 || (this.#listed[slot] = 0) !== 0);
  }

  #freeAllSlots(): void {
    this.#free.length = 0;
    for (let slot = this.#capacity - 1; slot >= 0; slot--) this.#free.push(slot);
  }

  #refuseKind(b: number, slot: number, validator: BlockValidator): never {
    const found = this.#validators[slot]?.kind ?? 'unknown';
    throw new CorruptionError(`Cannot read ${validator.kind} block ${b}: it is a ${found} block`, {
      block: b,
      kind: validator.kind,
      field: 'kind',
      found,
      expected: validator.kind,
    });
  }

  /** Correct code never takes a lock against itself, so two ways lead to one block: a cycle on the disk, or a wrong count. */
  #usedTwice(b: number, kind: string): CorruptionError {
    const message = `Cannot lock ${kind} block ${b}: it is in use already, so something refers to it twice`;
    return new CorruptionError(message, { block: b, kind, field: 'lock' });
  }

  #outside(b: number, kind: string): CorruptionError {
    const message = `Cannot read ${kind} block ${b}: the device has ${this.#nrBlocks} blocks`;
    return new CorruptionError(message, {
      block: b,
      kind,
      field: 'blocknr',
      found: b,
      expected: `below ${this.#nrBlocks}`,
    });
  }

  #refuseIfReadOnly(b: number): void {
    this.#refuseIfFailed('write');
    if (this.#readOnly) throw new ReadOnlyError(`Cannot lock block ${b} for writing: the block manager is read-only`);
  }

  #refuseIfFailed(action: string): void {
    if (this.#failure === undefined) return;
    throw new ReadOnlyError(`Cannot ${action}: latched after a failure, reopen to go on: ${this.#failure.message}`, {
      cause: this.#failure,
    });
  }

  /** Calls the device for writing or flushing; a failure latches the manager. */
  #callDevice(call: () => void, action: string): void {
    this.#refuseIfFailed(action);
    try {
      call();
    } catch (error) {
      throw this.#latch(error, action);
    }
  }

  #latch(error: unknown, action: string): PersistentDataError {
    const failure =
      error instanceof PersistentDataError ? error : new DeviceError(`Cannot ${action}: ${error}`, { cause: error });
    this.#failure ??= failure;
    this.#readOnly = true;
    this.reset();
    return failure;
  }
}
