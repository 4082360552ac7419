import { ReadOnlyError, StateError } from '../base/index.ts';
import { readOrigin, writeFresh } from './block-writer.ts';
import { type ByteRange, checkBytes, type DataDevice } from './data-device.ts';
import { type Extent, type ExtentOptions, type VolumeDifference, volumeDifference, volumeExtents } from './extents.ts';
import { UNMAPPED } from './mapping-cache.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { ModeState } from './pool-mode.ts';
import { canUnmap, unmapBlocks, zeroBytes } from './unmap.ts';
import type { VolumeState } from './volume-state.ts';

/**
 * A volume of a thin pool: any byte of it can be read and written. Offsets and lengths in bytes.
 *
 * Requests are done at once and answer `undefined`; a promise comes only from one that has to wait: for data space, or for its turn behind such a
 * one (requests for one block are done in order), or that unmaps many blocks, in slices with other requests between. Buffers are the volume's until then. What fails throws, or rejects where it waited:
 * `NoSpaceError` of data, metadata or host space, `ReadOnlyError`, `DeviceError`, `RangeError` for what is not inside the volume.
 *
 * Nothing is durable before {@link flush} has resolved; then everything is that was answered before the flush was asked for.
 */
export class ThinVolume {
  readonly id: number;
  readonly #engine: PoolEngine;
  readonly #state: VolumeState;
  // At hand: a request to a known block costs little more than its system call (bench/thin-pool.ts).
  readonly #data: DataDevice;
  readonly #mode: ModeState;
  readonly #blockBytes: number;

  /** @internal Made by `ThinPool.thin`. */
  constructor(engine: PoolEngine, state: VolumeState) {
    this.id = state.id;
    this.#engine = engine;
    this.#state = state;
    this.#data = engine.data;
    this.#mode = engine.mode;
    this.#blockBytes = engine.blockBytes;
  }

  get sizeBytes(): number {
    return this.#state.sizeBytes;
  }

  /** Data blocks come in this size: the unit of sharing, provisioning and discarding. */
  get blockBytes(): number {
    return this.#blockBytes;
  }

  get readOnly(): boolean {
    return this.#state.readOnly || this.#mode.mode === 'read_only' || this.#mode.mode === 'fail';
  }

  get isClosed(): boolean {
    return this.#state.isClosed;
  }

  /** Virtual blocks that are mapped. */
  get mappedBlocks(): number {
    return this.#usable('look at').thin.mappedBlocks;
  }

  /** Whether unmapped ranges show an external origin. */
  get hasOrigin(): boolean {
    return this.#state.origin !== undefined;
  }

  /** Fills `into` with the bytes from `offset` on: zeros, or the external origin, where nothing was written. */
  read(offset: number, into: Uint8Array): Promise<void> | undefined {
    const state = this.#state;
    const { length } = into;
    const blockBytes = this.#blockBytes;
    const block = Math.floor(offset / blockBytes);
    const within = offset - block * blockBytes;
    if (within + length <= blockBytes && offset + length <= state.sizeBytes && this.#isQuiet) {
      const slot = state.cache.find(block);
      if (slot >= 0 && state.cache.offsets[slot]! >= 0) {
        this.#data.read(state.cache.offsets[slot]! + within, into);
        return undefined;
      }
    }
    return this.#readSlowly(offset, into);
  }

  /** Writes `bytes` at `offset`: in place where the block is this volume's alone, else into a fresh one. */
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    const state = this.#state;
    const { length } = bytes;
    const blockBytes = this.#blockBytes;
    const block = Math.floor(offset / blockBytes);
    const within = offset - block * blockBytes;
    if (within + length <= blockBytes && offset + length <= state.sizeBytes && this.#isQuiet && !state.readOnly) {
      const slot = state.cache.find(block);
      if (slot >= 0 && state.cache.offsets[slot]! >= 0 && !state.cache.isShared(slot)) {
        this.#data.write(state.cache.offsets[slot]! + within, bytes);
        return undefined;
      }
    }
    return this.#writeSlowly(offset, bytes);
  }

  /**
   * Makes a run of bytes zeros. With `mayUnmap` (the default) whole blocks are unmapped where that shows zeros, and give their room back; without it room
   * is kept, or taken, for all of them.
   */
  writeZeroes(
    offset: number,
    length: number,
    options: { readonly mayUnmap?: boolean } = {},
  ): Promise<void> | undefined {
    const { mayUnmap = true } = options;
    this.#checkWrite('write zeros', offset, length);
    let done = 0;
    return this.#request(offset, length, () => {
      done += zeroBytes(this.#engine, this.#state, { offset: offset + done, length: length - done, mayUnmap });
      return done === length;
    });
  }

  /**
   * Says that a run of bytes is not needed any more. Whole blocks inside it are unmapped and show zeros (or the external origin); what is left at both ends
   * stays. Ignored where the pool ignores discards or has no metadata space left.
   */
  discard(offset: number, length: number): Promise<void> | undefined {
    this.#checkWrite('discard', offset, length);
    const blockBytes = this.#blockBytes;
    const begin = Math.ceil(offset / blockBytes);
    // The last block of a volume that is no multiple of the block size is whole as far as the volume goes.
    const isToEnd = offset + length === this.sizeBytes;
    const end = isToEnd ? Math.ceil((offset + length) / blockBytes) : Math.floor((offset + length) / blockBytes);
    if (end <= begin) return undefined;
    let at = begin;
    return this.#request(offset, length, () => {
      const engine = this.#engine;
      if (canUnmap(engine) && !engine.lookForMetadata()) return false;
      at = canUnmap(engine) ? unmapBlocks(engine, this.#state, at, end) : end;
      return at === end;
    });
  }

  /**
   * Makes everything durable that was answered before: the data is flushed, and the metadata committed if this volume's has changed. All who wait at the same
   * time share one flush.
   * @throws {ReadOnlyError} when something failed since the pool was opened: what was written after the last flush may be lost.
   */
  async flush(): Promise<void> {
    const { thin } = this.#usable('flush');
    // Also when it is closed meanwhile.
    await this.#engine.commits.join(() => this.#state.thin.changedThisTransaction || thin.changedThisTransaction);
  }

  /** What lies in a run of bytes, in order, neighbours of one kind put together. O(log n) and the mappings in it. */
  extents(offset: number, length: number, options: ExtentOptions = {}): Extent[] {
    const state = this.#usable('look at');
    checkBytes('look at', offset, length, state.sizeBytes);
    return volumeExtents(this.#engine, state, { offset, length }, options);
  }

  /**
   * The runs of bytes in which this volume's mappings differ from another's, in order. Data blocks that both share do not differ; others do, whatever they hold.
   * Sub-trees that both share are not read: O(differences in the range · log n).
   *
   * @param other - A volume of the same pool; or the id of one, which need not be open.
   * @param options.offset - Bytes, as `length`: the run that is compared. Default: all of both; of this one where the other is an id.
   * @throws {StateError} when the other one is of another pool, or not there.
   */
  difference(other: ThinVolume | number, options: Partial<ByteRange> & ExtentOptions = {}): VolumeDifference[] {
    const state = this.#usable('compare');
    const id = typeof other === 'number' ? other : other.#usable('compare').id;
    if (typeof other !== 'number' && other.#engine !== this.#engine) {
      throw new StateError(`Cannot compare: thin volume ${id} is of another pool`);
    }
    const longest = typeof other === 'number' ? state.sizeBytes : Math.max(state.sizeBytes, other.sizeBytes);
    const { offset = 0, length = longest - offset } = options;
    checkBytes('compare', offset, length, longest);
    return volumeDifference(this.#engine, state, id, { offset, length }, options);
  }

  /**
   * Changes the size; the metadata does not know it. What lies beyond a smaller end is discarded, so that it does not come back (it does where the pool ignores
   * discards).
   * @throws {NoSpaceError} when there is no metadata space to discard it: the size stays.
   */
  async resize(sizeBytes: number): Promise<void> {
    checkSize(sizeBytes);
    const state = this.#usable('resize');
    const old = state.sizeBytes;
    if (sizeBytes < old) {
      const blockEnd = Math.min(old, Math.ceil(sizeBytes / this.#blockBytes) * this.#blockBytes);
      if (blockEnd > sizeBytes) await this.writeZeroes(sizeBytes, blockEnd - sizeBytes);
      if (old > blockEnd) await this.discard(blockEnd, old - blockEnd);
      this.#mode.refuseUnlessChangeable(`make thin volume ${this.id} smaller`);
    }
    state.sizeBytes = sizeBytes;
  }

  /** The kernel's status line of a thin device: mapped 512-byte sectors, highest mapped sector or `-`. */
  status(): string {
    if (this.#mode.mode === 'fail') return 'Fail';
    const { thin } = this.#usable('look at');
    const sectors = this.#blockBytes / 512;
    const highest = thin.highestMapped;
    return `${thin.mappedBlocks * sectors} ${highest === undefined ? '-' : (highest + 1) * sectors - 1}`;
  }

  /** Gives the volume back; requests that wait fail. What was not flushed is committed with the pool's next commit. Idempotent. */
  close(): void {
    const state = this.#state;
    if (state.isClosed) return;
    state.isClosed = true;
    const error = new StateError(`Cannot go on with thin volume ${this.id}: it was closed`);
    this.#engine.waits.reject(error, (request) => request.place === state);
    this.#engine.volumes.delete(this.id);
    state.cache.clear();
    state.thin.close();
  }

  /** Whether nothing stands in the way of a plain transfer. */
  get #isQuiet(): boolean {
    return this.#state.nrWaiting === 0 && this.#mode.isPlain && !this.#state.isClosed;
  }

  #usable(action: string): VolumeState {
    if (this.#state.isClosed) throw new StateError(`Cannot ${action} thin volume ${this.id}: it is closed`);
    this.#mode.refuseUnlessReadable(`${action} thin volume ${this.id}`);
    return this.#state;
  }

  #checkWrite(action: string, offset: number, length: number): void {
    const state = this.#usable(action);
    if (state.readOnly) throw new ReadOnlyError(`Cannot ${action}: thin volume ${this.id} was opened read-only`);
    this.#mode.refuseUnlessWritable(`${action} in thin volume ${this.id}`);
    checkBytes(action, offset, length, state.sizeBytes);
  }

  #readSlowly(offset: number, into: Uint8Array): Promise<void> | undefined {
    const state = this.#usable('read');
    checkBytes('read', offset, into.length, state.sizeBytes);
    return this.#request(offset, into.length, () => {
      this.#readBytes(offset, into);
      return true;
    });
  }

  #writeSlowly(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    this.#checkWrite('write', offset, bytes.length);
    let done = 0;
    return this.#request(offset, bytes.length, () => {
      done = this.#writeBytes(offset, bytes, done);
      return done === bytes.length;
    });
  }

  /** Does a request now, or when its turn comes. */
  #request(offset: number, length: number, attempt: () => boolean): Promise<void> | undefined {
    if (length === 0) return undefined;
    const state = this.#state;
    const { waits } = this.#engine;
    const begin = Math.floor(offset / this.#blockBytes);
    const end = Math.ceil((offset + length) / this.#blockBytes);
    const isBlocked = waits.isBlocked(state, begin, end);
    if (!isBlocked && attempt()) return undefined;
    return waits.add({ place: state, begin, end, attempt, isProvision: !isBlocked });
  }

  #readBytes(offset: number, into: Uint8Array): void {
    const state = this.#state;
    const blockBytes = this.#blockBytes;
    for (let done = 0; done < into.length; ) {
      const at = offset + done;
      const block = Math.floor(at / blockBytes);
      const within = at - block * blockBytes;
      const from = state.cache.offsets[state.locate(block)]!;
      let length = Math.min(blockBytes - within, into.length - done);
      if (from === UNMAPPED) {
        readOrigin(state.origin, at, into.subarray(done, done + length));
      } else {
        length = this.#runLength(block, from, within, into.length - done, false);
        this.#data.read(from + within, into.subarray(done, done + length));
      }
      done += length;
    }
  }

  /** Writes from byte `done` on. Answers how far it came; less than all when it has to wait. */
  #writeBytes(offset: number, bytes: Uint8Array, begin: number): number {
    const state = this.#state;
    const blockBytes = this.#blockBytes;
    let done = begin;
    while (done < bytes.length) {
      const at = offset + done;
      const block = Math.floor(at / blockBytes);
      const within = at - block * blockBytes;
      const slot = state.locate(block);
      const to = state.cache.offsets[slot]!;
      if (to === UNMAPPED || state.cache.isShared(slot)) {
        const part = bytes.subarray(done, done + Math.min(blockBytes - within, bytes.length - done));
        if (!writeFresh(this.#engine, state, { block, within, bytes: part })) return done;
        done += part.length;
        continue;
      }
      const length = this.#runLength(block, to, within, bytes.length - done, true);
      this.#data.write(to + within, bytes.subarray(done, done + length));
      done += length;
    }
    return done;
  }

  /** How many of the next `wanted` bytes lie in adjacent data blocks; for a write only in blocks that are not shared. */
  #runLength(block: number, from: number, within: number, wanted: number, isWrite: boolean): number {
    const { cache } = this.#state;
    const blockBytes = this.#blockBytes;
    let length = blockBytes - within;
    for (let next = block + 1; length < wanted; next++, length += blockBytes) {
      const slot = this.#state.locate(next);
      if (cache.offsets[slot] !== from + (next - block) * blockBytes) break;
      if (isWrite && cache.isShared(slot)) break;
    }
    return Math.min(length, wanted);
  }
}

/** @throws {RangeError} when a volume can't have this size. */
export function checkSize(sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes % 512 === 0) return;
  throw new RangeError(`Cannot use ${sizeBytes} as the size of a volume: bytes, a multiple of 512, are wanted`);
}
