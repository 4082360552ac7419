import { StateError } from '../base/index.ts';
import type { DeviceDetails } from './device-details.ts';
import type { ThinDeviceState } from './device-list.ts';

/** Where a virtual block's data is. Blocks are of the pool's data block size. */
export interface Mapping {
  readonly dataBlock: number;
  /**
   * Whether another device may map the same data block: a write has to go to a fresh one. Never false wrongly; may still be true when
   * the other device is gone.
   */
  readonly shared: boolean;
}

/** A run of mappings: virtual blocks `begin..end` (half-open) lie on data blocks from `dataBegin` on, all shared or none. */
export interface MappedRange {
  readonly begin: number;
  readonly end: number;
  readonly dataBegin: number;
  readonly maybeShared: boolean;
}

/** What a thin device's handle asks of the pool it belongs to. */
export interface DeviceOperations {
  find(device: ThinDeviceState, virtualBlock: number): Mapping | undefined;
  findMappedRange(device: ThinDeviceState, begin: number, end: number, limit?: number): MappedRange | undefined;
  highestMapped(device: ThinDeviceState): number | undefined;
  insert(device: ThinDeviceState, virtualBlock: number, dataBlock: number): void;
  insertRange(device: ThinDeviceState, virtualBegin: number, dataBegin: number, count: number): void;
  removeRange(device: ThinDeviceState, begin: number, end: number): number;
  close(device: ThinDeviceState): void;
}

/** A thin device that somebody has open. Several handles of one device share its state. */
export class ThinDevice implements DeviceDetails {
  readonly #operations: DeviceOperations;
  readonly #state: ThinDeviceState;
  #closed = false;

  /** @internal Made by `ThinMetadata.openThin`. */
  constructor(operations: DeviceOperations, state: ThinDeviceState) {
    this.#operations = operations;
    this.#state = state;
  }

  get id(): number {
    return this.#state.id;
  }

  get mappedBlocks(): number {
    return this.#state.mappedBlocks;
  }

  get transactionId(): DeviceDetails['transactionId'] {
    return this.#state.transactionId;
  }

  get creationTime(): number {
    return this.#state.creationTime;
  }

  get snapshottedTime(): number {
    return this.#state.snapshottedTime;
  }

  /** Whether a mapping was inserted or removed since the last commit. A flush of the device has to commit then, else not. */
  get changedThisTransaction(): boolean {
    return this.#state.changedThisTransaction;
  }

  /** Whether changes were rolled back since the device was opened. */
  get abortedWithChanges(): boolean {
    return this.#state.abortedWithChanges;
  }

  /** The mapping of a virtual block, or `undefined` where nothing was provisioned. One metadata block per level. */
  find(virtualBlock: number): Mapping | undefined {
    return this.#operations.find(this.#usable(), virtualBlock);
  }

  /** The first run of mappings in `begin..end`; of a longer one only `limit` blocks. O(log n) and the length of the run. */
  findMappedRange(begin: number, end: number, limit?: number): MappedRange | undefined {
    return this.#operations.findMappedRange(this.#usable(), begin, end, limit);
  }

  /** The highest mapped virtual block. */
  get highestMapped(): number | undefined {
    return this.#operations.highestMapped(this.#usable());
  }

  /**
   * Maps a virtual block to a data block, whose reference passes to the device (allocate it, or inc it, before). A block that was mapped
   * before loses its reference.
   * @throws {NoSpaceError} of metadata space when only the reserve is left: commit, then try again.
   */
  insert(virtualBlock: number, dataBlock: number): void {
    this.#operations.insert(this.#usable(), virtualBlock, dataBlock);
  }

  /**
   * {@link insert} for `count` consecutive blocks of both. Where it runs out of metadata space a part is mapped: commit, then call it again with
   * the same arguments.
   */
  insertRange(virtualBegin: number, dataBegin: number, count: number): void {
    this.#operations.insertRange(this.#usable(), virtualBegin, dataBegin, count);
  }

  /** Unmaps all virtual blocks of `begin..end` and gives up their data blocks. Answers how many were mapped. */
  removeRange(begin: number, end: number): number {
    return this.#operations.removeRange(this.#usable(), begin, end);
  }

  /** Gives the handle back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#operations.close(this.#state);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #usable(): ThinDeviceState {
    if (this.#closed) throw new StateError(`Cannot use thin device ${this.#state.id}: this handle is closed`);
    if (this.#state.isGone)
      throw new StateError(`Cannot use thin device ${this.#state.id}: it was deleted or rolled back`);
    return this.#state;
  }
}
