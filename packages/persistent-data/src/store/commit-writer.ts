import { NoSpaceError, PersistentDataError } from '../base/index.ts';
import type { StoreCore } from './core.ts';
import type { StoreDisk } from './disk.ts';
import type { StoreEvents } from './events.ts';
import { RedoLog } from './redo-log.ts';
import type { Space } from './space.ts';

/** Whose transactions are committed. */
export interface CommitHost {
  readonly core: StoreCore;
  readonly disk: StoreDisk;
  readonly space: Space;
  readonly events: StoreEvents;
  readonly inTransaction: boolean;
  log: RedoLog;
  /** Goes back to the last commit. */
  rollBackToCommitted(): void;
  /** Notes a failure that is final, and answers it. */
  latch(error: unknown): unknown;
}

/** Brings what is in the log to the disk: as a record, or with a checkpoint. */
export class CommitWriter {
  readonly #host: CommitHost;

  constructor(host: CommitHost) {
    this.#host = host;
  }

  /** Commits all that is in the log, durably: one write and one flush, or a checkpoint where the log has overflowed. */
  commit(): void {
    const { disk, events } = this.#host;
    if (disk.journal.overflowed) {
      this.checkpoint(true);
      return;
    }
    this.writeRecord();
    this.#orLatch(() => disk.flush());
    events.commit({ generation: disk.superblock.generation, checkpoint: false });
  }

  /** Seals what is in the log as a record; no flush. */
  writeRecord(): void {
    const { disk, log } = this.#host;
    log.forgetSelection();
    try {
      disk.writeRecord();
    } catch (error) {
      throw this.#writeFailed(error);
    }
  }

  /** Makes a checkpoint, durably. */
  checkpoint(withProof: boolean): void {
    const { disk } = this.#host;
    this.#orLatch(() => disk.finishPending());
    this.#prepare(withProof);
    this.#orLatch(() => disk.finishPending());
    this.#checkpointDone();
  }

  /** The same off the main thread. In a transaction that is running now, all before it was sealed when it began. */
  async writeGroup(): Promise<void> {
    const { disk, events, inTransaction } = this.#host;
    const isOpen = disk.journal.isOpen && !inTransaction;
    try {
      if (isOpen && disk.journal.overflowed) {
        disk.finishPending();
        this.#prepare(true);
        await disk.finishPendingAsync();
        this.#checkpointDone();
        return;
      }
      if (isOpen) this.writeRecord();
      await disk.flushAsync();
    } catch (error) {
      if (disk.failure !== undefined) this.#host.latch(error);
      throw error;
    }
    events.commit({ generation: disk.superblock.generation, checkpoint: false });
  }

  #prepare(withProof: boolean): void {
    const { core, disk, space } = this.#host;
    const before = space.nrAvailable;
    try {
      disk.prepareCheckpoint(core, withProof);
    } catch (error) {
      throw this.#writeFailed(error);
    }
    this.#host.log = new RedoLog(disk.journal);
    space.checkpointWritten(before);
  }

  #checkpointDone(): void {
    const { disk, events, space } = this.#host;
    space.checkpointDone();
    events.commit({ generation: disk.superblock.generation, checkpoint: true });
  }

  /** A write failed. When the host is full, or a block is damaged, the last commit is whole: go back to it. */
  #writeFailed(error: unknown): unknown {
    const { disk } = this.#host;
    const isClean =
      error instanceof NoSpaceError || (error instanceof PersistentDataError && error.code === 'PDATA_CORRUPT');
    if (!isClean || disk.failure !== undefined || disk.blockManager.failure !== undefined)
      return this.#host.latch(error);
    this.#host.rollBackToCommitted();
    return error;
  }

  #orLatch(call: () => void): void {
    try {
      call();
    } catch (error) {
      throw this.#host.latch(error);
    }
  }
}
