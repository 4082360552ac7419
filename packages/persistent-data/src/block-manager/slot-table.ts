import { assert, CorruptionError, Slab } from '../base/index.ts';
import { type BlockValidator, METADATA_BLOCK_SIZE } from '../format/index.ts';
import { BlockMap } from './block-map.ts';
import { CacheQueues } from './cache-queues.ts';

const NOBODY = 0;
const WRITER = -1;
/** Evictions are counted modulo 2^30, to fit beside the slots in the block map. */
const MOMENT_MASK = 0x3fff_ffff;

/**
 * The slots of the cache: which block is where, who has it locked, whether it is dirty, what kind it is. No I/O.
 *
 * Invariants: a block is in at most one slot; a slot is free, or in a queue; a locked slot is never chosen as a victim; each dirty slot is in
 * the list of dirty slots once.
 */
export class SlotTable {
  readonly slab: Slab;
  readonly capacity: number;
  readonly blockOf: Uint32Array;
  readonly validators: (BlockValidator | undefined)[] = [];
  readonly #map = new BlockMap();
  readonly #queues: CacheQueues;
  /** Per slot: 0, the number of read locks, or -1 for a write lock. */
  readonly #locks: Int32Array;
  readonly #dirty: Uint8Array;
  /** Slots that were given back. */
  readonly #free: number[] = [];
  /** The first slot that was never taken: memory beyond it was not touched, neither blocks nor what is noted of them. */
  #nrTaken = 0;
  /** Slots that are dirty, and some that were; `#listed` says which are in it. */
  #dirtySlots: number[] = [];
  readonly #listed: Uint8Array;
  readonly #slotState = { isPinned: (slot: number): boolean => this.#locks[slot] !== NOBODY };
  #nrLocked = 0;
  #nrDirty = 0;
  #evictions = 0;

  /** @param capacity - Slots, of 4096 bytes each. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.slab = Slab.ofSize(capacity * METADATA_BLOCK_SIZE);
    this.blockOf = new Uint32Array(capacity);
    this.#queues = new CacheQueues(capacity);
    this.#locks = new Int32Array(capacity);
    this.#dirty = new Uint8Array(capacity);
    this.#listed = new Uint8Array(capacity);
  }

  get nrLocked(): number {
    return this.#nrLocked;
  }

  get nrDirty(): number {
    return this.#nrDirty;
  }

  get nrCached(): number {
    return this.#nrTaken - this.#free.length;
  }

  /** The slot of block `b`, or a negative number. */
  slotOf(b: number): number {
    return this.#map.slot(b);
  }

  isDirty(slot: number): boolean {
    return this.#dirty[slot] === 1;
  }

  isLocked(slot: number): boolean {
    return this.#locks[slot] !== NOBODY;
  }

  isWriteLocked(slot: number): boolean {
    return this.#locks[slot] === WRITER;
  }

  /** Notes that a cached block was used, so that it stays longer. */
  touch(slot: number): void {
    this.#queues.used[slot] = 1;
  }

  bytesOf(slot: number): Uint8Array {
    return this.slab.bytes.subarray(slot * METADATA_BLOCK_SIZE, (slot + 1) * METADATA_BLOCK_SIZE);
  }

  /** A slot for block `b`, which is not cached; content undefined. A dirty victim is handed to `clean` first, which writes it out. */
  take(b: number, clean: (victim: number) => void): number {
    let slot = this.#free.pop() ?? (this.#nrTaken < this.capacity ? this.#nrTaken++ : undefined);
    if (slot === undefined) {
      slot = this.#queues.victim(this.#slotState);
      assert(slot >= 0, 'some block of the cache is not locked');
      if (this.#dirty[slot] === 1) this.#cleanVictim(slot, clean);
      this.#evictions++;
      this.#map.evict(this.blockOf[slot]!, this.#evictions & MOMENT_MASK);
    }
    const evictedAt = this.#map.evictedAt(b);
    const known = evictedAt >= 0 && ((this.#evictions - evictedAt) & MOMENT_MASK) <= this.capacity;
    this.#map.set(b, slot);
    this.blockOf[slot] = b;
    this.validators[slot] = undefined;
    this.#queues.add(slot, known);
    return slot;
  }

  /** Makes what a slot holds the content of block `b`; the block that it was is not cached any more. @throws {CorruptionError} when `b` is locked, or the same block. */
  rename(slot: number, b: number): void {
    const old = this.#map.slot(b);
    if (old >= 0) {
      // The very block that it is: a wrong count has called a block free that is in use.
      if (old === slot || this.#locks[old] !== NOBODY) throw this.usedTwice(old);
      this.drop(old);
    }
    this.#map.set(this.blockOf[slot]!, -1);
    this.#map.set(b, slot);
    this.blockOf[slot] = b;
  }

  /** Frees a slot, whatever it holds. */
  drop(slot: number): void {
    if (this.#locks[slot] !== NOBODY) this.#nrLocked -= Math.abs(this.#locks[slot]!);
    this.#locks[slot] = NOBODY;
    this.validators[slot] = undefined;
    this.#map.set(this.blockOf[slot]!, -1);
    this.#queues.remove(slot);
    this.markClean(slot);
    this.#free.push(slot);
  }

  lockForReading(slot: number): void {
    this.#locks[slot]!++;
    this.#nrLocked++;
  }

  /** Locks a slot for writing and makes it dirty. @throws {CorruptionError} when somebody holds it. */
  lockForWriting(slot: number): void {
    this.pin(slot);
    this.markDirty(slot);
  }

  /** Locks a slot for writing without making it dirty. */
  pin(slot: number): void {
    if (this.#locks[slot] !== NOBODY) throw this.usedTwice(slot);
    this.#locks[slot] = WRITER;
    this.#nrLocked++;
  }

  unlock(slot: number): void {
    const lock = this.#locks[slot]!;
    assert(lock !== NOBODY, 'a block that is unlocked was locked');
    this.#locks[slot] = lock === WRITER ? NOBODY : lock - 1;
    this.#nrLocked--;
  }

  /** Correct code never takes a lock against itself, so two ways lead to one block: a cycle on the disk, or a wrong count. */
  usedTwice(slot: number): CorruptionError {
    const block = this.blockOf[slot]!;
    const kind = this.validators[slot]?.kind ?? 'unknown';
    return new CorruptionError(
      `Cannot lock ${kind} block ${block}: it is in use already, so something refers to it twice`,
      {
        block,
        kind,
        field: 'lock',
      },
    );
  }

  /** What the slot holds has to be written out. */
  markDirty(slot: number): void {
    if (this.#dirty[slot] === 1) return;
    this.#dirty[slot] = 1;
    this.#nrDirty++;
    if (this.#listed[slot] === 1) return;
    this.#listed[slot] = 1;
    this.#dirtySlots.push(slot);
  }

  markClean(slot: number): void {
    if (this.#dirty[slot] === 0) return;
    this.#dirty[slot] = 0;
    this.#nrDirty--;
  }

  /** All dirty slots. They stay dirty until they are marked clean. */
  dirtySlots(): number[] {
    this.#dirtySlots = this.#dirtySlots.filter((slot) => {
      this.#listed[slot] = this.#dirty[slot]!;
      return this.#dirty[slot] === 1;
    });
    return this.#dirtySlots.slice();
  }

  /** Up to `count` dirty slots that nobody has locked, `first` among them. */
  dirtyBatch(first: number, count: number): number[] {
    const batch = [first];
    for (const slot of this.#dirtySlots) {
      if (batch.length >= count) break;
      if (slot !== first && this.#dirty[slot] === 1 && this.#locks[slot] === NOBODY) batch.push(slot);
    }
    return batch;
  }

  /** Forgets the blocks from number `begin` on. */
  forgetFrom(begin: number): void {
    for (let slot = 0; slot < this.#nrTaken; slot++) {
      const b = this.blockOf[slot]!;
      if (b >= begin && this.#map.slot(b) === slot) this.drop(slot);
    }
  }

  /** Frees all dirty slots, and takes back all locks. */
  forgetDirty(): void {
    this.#locks.fill(NOBODY, 0, this.#nrTaken);
    this.#nrLocked = 0;
    for (const slot of this.dirtySlots()) this.drop(slot);
  }

  /** Forgets everything, locks included. */
  reset(): void {
    this.#map.clear();
    this.#queues.clear();
    this.#locks.fill(NOBODY, 0, this.#nrTaken);
    this.#dirty.fill(0, 0, this.#nrTaken);
    this.#listed.fill(0, 0, this.#nrTaken);
    this.validators.length = 0;
    this.#free.length = 0;
    this.#nrTaken = 0;
    this.#dirtySlots = [];
    this.#nrLocked = 0;
    this.#nrDirty = 0;
    this.#evictions = 0;
  }

  #cleanVictim(slot: number, clean: (victim: number) => void): void {
    try {
      clean(slot);
    } catch (error) {
      // Out of its queue already; unless the failure emptied the table, it has to go back into one.
      if (this.#map.slot(this.blockOf[slot]!) === slot) this.#queues.add(slot, true);
      throw error;
    }
  }
}
