/**
 * A disk that loses power, simulated. The fault model, in short (whole: docs/crash-model.md):
 *
 * - A flush makes durable all that was written, and every change of length made, before it was called.
 * - What no finished flush covers is open: each block of each write, each change of length, each discarded block is an item.
 * - At a crash any subset of the open items has arrived, whatever their order and however they were grouped in calls.
 * - A block may be torn at each of its eight 512-byte sectors; a sector is old or new. A length is old or new.
 * - A block beyond the length of the crash state is lost. A discarded block holds anything.
 *
 * Taken apart: the device collects items and takes crash points (this file); a crash point knows its states (`crash-point.ts`)
 * and chooses among them (`crash-sampling.ts`).
 */

import { StateError } from '../base/index.ts';
import { BLOCK_SIZE, type BlockDevice, checkOpen, checkRange, checkRun, MemoryDevice } from '../io/index.ts';
import { applyItem, type CrashItem, WHOLE } from './crash-item.ts';
import { CrashPoint } from './crash-point.ts';

/** How a {@link CrashDevice} begins and what it reports. */
export interface CrashDeviceOptions {
  /** Length of a device of zeros, in blocks. */
  readonly nrBlocks?: number;
  /** What the disk holds, durably, instead of zeros. Copied. */
  readonly image?: MemoryDevice | Uint8Array;
  /**
   * Called with a crash point before and after each flush, and as {@link everyWrites} says. To open its states within
   * the call is allowed, to use the device is not.
   */
  readonly onCrashPoint?: (point: CrashPoint) => void;
  /** Report a crash point after each so many calls of `write` too. Default: never. */
  readonly everyWrites?: number;
  /**
   * When an asynchronous flush ends: `soon`, by itself in a later turn of the event loop; or `held`, when
   * {@link CrashDevice.finishFlush} is called. Default: `soon`.
   */
  readonly asyncFlush?: 'soon' | 'held';
  /**
   * A negative control: a flush for which this is true claims success and makes nothing durable. `index` counts the
   * calls of `flush` and `flushAsync`, from 0.
   */
  readonly dropFlush?: (index: number) => boolean;
}

/** What a discarded block holds: no format accepts it. */
const DISCARDED = new Uint8Array(BLOCK_SIZE).fill(0xdb);

/**
 * A device in memory that can tell what would be left of it if power failed: see the top of this file.
 *
 * Memory: the blocks written, and once more those of the open items.
 *
 * @example
 * ```ts
 * const device = new CrashDevice({
 *   nrBlocks: 1000,
 *   onCrashPoint: (point) => {
 *     for (const state of point.states({ limit: 100, seed })) verify(state.open(), `${point}: ${state}`);
 *   },
 * });
 * runScript(device);
 * ```
 */
export class CrashDevice implements BlockDevice {
  readonly readOnly = false;
  readonly #options: CrashDeviceOptions;
  /** What would be left if nothing that is open arrived. */
  readonly #durable: MemoryDevice;
  /** What the program sees: the durable image and all that is open. */
  readonly #live: MemoryDevice;
  #open: CrashItem[] = [];
  /** Items that became durable or were never counted: `#open[i]` is item number `#nrSettled + i`. */
  #nrSettled = 0;
  #closed = false;
  #nrWrites = 0;
  #nrFlushCalls = 0;
  #nrFlushes = 0;
  #nrPoints = 0;
  readonly #held: (() => void)[] = [];

  constructor(options: CrashDeviceOptions) {
    const { image } = options;
    this.#options = options;
    if (image instanceof Uint8Array) this.#durable = MemoryDevice.from(image);
    else this.#durable = image?.fork() ?? new MemoryDevice({ nrBlocks: options.nrBlocks ?? 0 });
    this.#live = this.#durable.fork();
  }

  get nrBlocks(): number {
    return this.#live.nrBlocks;
  }

  /** How many items no flush has covered yet. */
  get nrOpen(): number {
    return this.#open.length;
  }

  /** Calls of `write` so far. */
  get nrWrites(): number {
    return this.#nrWrites;
  }

  /** Calls of `flush` and `flushAsync` so far, also those that were dropped or are under way. */
  get nrFlushCalls(): number {
    return this.#nrFlushCalls;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'read');
    this.#live.read(begin, buffers);
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'write');
    checkRun('write', begin, buffers, this.nrBlocks);
    this.#live.write(begin, buffers);
    let block = begin;
    for (const buffer of buffers) {
      for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE, block += 1) {
        this.#open.push({ kind: 'block', block, bytes: buffer.slice(at, at + BLOCK_SIZE) });
      }
    }
    this.#nrWrites += 1;
    const { everyWrites } = this.#options;
    if (everyWrites !== undefined && this.#nrWrites % everyWrites === 0)
      this.#report(`after write ${this.#nrWrites - 1}`);
  }

  flush(): void {
    checkOpen(this.#closed, 'flush');
    const index = this.#beginFlush();
    this.#endFlush(index, this.#nrSettled + this.#open.length);
  }

  /** Ends as {@link CrashDeviceOptions.asyncFlush} says, also when the device is closed meanwhile. */
  async flushAsync(): Promise<void> {
    checkOpen(this.#closed, 'flush');
    const index = this.#beginFlush();
    const end = this.#nrSettled + this.#open.length;
    await new Promise<void>((resolve) => {
      if (this.#options.asyncFlush === 'held') this.#held.push(resolve);
      else setImmediate(resolve);
    });
    this.#endFlush(index, end);
  }

  /**
   * Lets the oldest asynchronous flush that is held go on. What it covers is durable when its promise has resolved.
   *
   * @throws {StateError} when none is held.
   */
  finishFlush(): void {
    const resolve = this.#held.shift();
    if (resolve === undefined) throw new StateError('Cannot finish a flush: none is held');
    resolve();
  }

  resize(nrBlocks: number): void {
    checkOpen(this.#closed, 'resize');
    if (nrBlocks === this.nrBlocks) return;
    this.#live.resize(nrBlocks);
    this.#open.push({ kind: 'length', nrBlocks });
  }

  /** Fills the blocks with a pattern that no format accepts. */
  discard(begin: number, count: number): void {
    checkOpen(this.#closed, 'discard');
    checkRange('discard', begin, count, this.nrBlocks);
    for (let block = begin; block < begin + count; ++block) {
      this.#live.write(block, [DISCARDED]);
      this.#open.push({ kind: 'block', block, bytes: DISCARDED });
    }
  }

  /** Leaves what is open open: it may still arrive, or not. */
  close(): void {
    this.#closed = true;
  }

  /** Opens the same disk again after {@link close}, without a loss of power: what is open stays open. */
  reopen(): void {
    this.#closed = false;
  }

  /** Takes a crash point now, also of a closed device. O(open items + pieces of memory in use). */
  crashPoint(label = 'asked for'): CrashPoint {
    const facts = { index: this.#nrPoints, label, nrWrites: this.#nrWrites, nrFlushes: this.#nrFlushes };
    this.#nrPoints += 1;
    return new CrashPoint(this.#durable.fork(), this.#open.slice(), facts);
  }

  /** A copy of what is durable now. */
  durable(): MemoryDevice {
    return this.#durable.fork();
  }

  #report(label: string): void {
    this.#options.onCrashPoint?.(this.crashPoint(label));
  }

  #beginFlush(): number {
    const index = this.#nrFlushCalls;
    this.#report(`before flush ${index}`);
    this.#nrFlushCalls += 1;
    return index;
  }

  /** Makes the items before item number `end` durable. A later flush may have done so already. */
  #endFlush(index: number, end: number): void {
    if (!this.#options.dropFlush?.(index)) {
      const covered = this.#open.splice(0, Math.max(0, end - this.#nrSettled));
      this.#nrSettled += covered.length;
      for (const item of covered) applyItem(this.#durable, item, WHOLE);
    }
    this.#nrFlushes += 1;
    this.#report(`after flush ${index}`);
  }
}
