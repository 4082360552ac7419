import type { BlockManager } from '../block-manager/index.ts';
import type { KeptVersions } from '../disk-space-map/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type PendingCheckpoint, writeCheckpoint, writeSuperblock } from './checkpoint.ts';
import type { StoreCore } from './core.ts';
import type { Journal } from './journal.ts';
import type { RecordingDevice } from './recording-device.ts';
import type { StoreSuperblock } from './superblock.ts';

/** What a store lies on. */
export interface DiskParts {
  readonly device: BlockDevice;
  readonly recording: RecordingDevice;
  readonly blockManager: BlockManager;
  readonly kept: KeptVersions;
  /** Length that a journal area is to have for ever, in blocks. Default: it grows with the store. */
  readonly journalBlocks: number | undefined;
  /** Why nothing may be changed, if so: `it was opened read-only`. */
  readonly readOnlyReason: string | undefined;
}

/**
 * The disk of one store: the journal, the last checkpoint, and what is on its way. Order is kept here: a superblock that needs no proof is written after
 * a flush, and a record only when the checkpoint that it belongs to is durable.
 *
 * A failed flush, or a failed write of a superblock, is final ({@link failure}). Other writes may fail for want of room on the host; what that
 * means is for the caller to say.
 */
export class StoreDisk {
  readonly parts: DiskParts;
  readonly device: BlockDevice;
  readonly blockManager: BlockManager;
  journal: Journal;
  /** Of the last checkpoint, which may still be on its way. */
  superblock: StoreSuperblock;
  /** The first failure that was final. */
  failure: unknown;
  #pending: PendingCheckpoint | undefined;

  constructor(parts: DiskParts, superblock: StoreSuperblock, journal: Journal) {
    this.parts = parts;
    this.device = parts.device;
    this.blockManager = parts.blockManager;
    this.superblock = superblock;
    this.journal = journal;
  }

  /** Whether a checkpoint is on its way. */
  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** Notes a failure that is final, and answers it. */
  latch(error: unknown): unknown {
    this.failure ??= error;
    return error;
  }

  flush(): void {
    this.#final(() => this.device.flush());
  }

  /** As {@link flush}, off the main thread where the device can. */
  async flushAsync(): Promise<void> {
    try {
      if (this.device.flushAsync) await this.device.flushAsync();
      else this.device.flush();
    } catch (error) {
      throw this.latch(error);
    }
    // Another flush may have been told of a failure that covers these writes too.
    if (this.failure !== undefined) throw this.failure;
  }

  /** Writes the running transaction as a record; no flush. */
  writeRecord(): void {
    this.finishPending();
    this.journal.writeRecord(this.device);
  }

  /** Writes a checkpoint of the core, to be finished by {@link finishPending} or {@link finishPendingAsync}. */
  prepareCheckpoint(core: StoreCore, withProof: boolean): void {
    const { superblock } = this;
    const pending = writeCheckpoint({ ...this.parts, core, superblock }, withProof);
    this.#pending = pending;
    this.superblock = pending.superblock;
    this.journal = pending.journal;
    if (pending.oneFlush) this.#final(() => writeSuperblock(this.device, pending));
  }

  /** Makes a checkpoint durable that is on its way. */
  finishPending(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.flush();
    if (!pending.oneFlush) {
      this.#final(() => writeSuperblock(this.device, pending));
      this.flush();
    }
    this.#endPending(pending);
  }

  /** As {@link finishPending}, off the main thread. A synchronous commit may finish it first. */
  async finishPendingAsync(): Promise<void> {
    const pending = this.#pending;
    if (pending === undefined) return;
    await this.flushAsync();
    if (this.#pending === pending && !pending.oneFlush) {
      this.#final(() => writeSuperblock(this.device, pending));
      await this.flushAsync();
    }
    if (this.#pending === pending) this.#endPending(pending);
  }

  #endPending(pending: PendingCheckpoint): void {
    this.parts.kept.release(pending.held);
    this.#pending = undefined;
  }

  #final(call: () => void): void {
    try {
      call();
    } catch (error) {
      throw this.latch(error);
    }
  }
}
