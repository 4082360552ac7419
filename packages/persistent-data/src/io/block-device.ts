/** Bytes per block, everywhere in this library. */
export const BLOCK_SIZE = 4096;

/**
 * A device of 4096-byte blocks, synchronous. The lowest layer: everything above reaches a disk through this and nothing else.
 *
 * Contract, for implementers (`blockDeviceSuite` in `persistent-data/testing` runs it on any device):
 * - `read` and `write` transfer all of their bytes or throw; short transfers are the implementation's to continue. After a
 *   failed write any part of it may have been done.
 * - A range that is not wholly inside the device, or a buffer that is no multiple of 4096 bytes, is a `RangeError`: it is the
 *   caller's mistake, not the disk's. An empty run is allowed and does nothing.
 * - A write is atomic in no unit larger than 512 bytes and durable only after `flush` has returned; a read sees every write
 *   before it.
 * - What the operating system refuses is a `DeviceError` with the system's error as `cause`, except that a full disk is a
 *   `NoSpaceError` of `host` space. After a failed `flush`, `flush` must not claim success for the writes before it.
 * - A write to a read-only device, or a change of its length, is a `ReadOnlyError`; a flush of it does nothing.
 * - Every call after `close` is a `StateError`, except `close`. What returns a promise rejects and does not throw.
 * - A device that is made from another one borrows it: closing does not close the other, unless its maker was told to own it.
 */
export interface BlockDevice {
  /** Length in whole 4096-byte blocks. A tail that fills no block does not count and is never touched. */
  readonly nrBlocks: number;
  readonly readOnly: boolean;

  /**
   * Reads a run of adjacent blocks, beginning at block `begin`, into `buffers`, one after the other, with one system call where
   * the platform can. The length of each buffer is a multiple of 4096 bytes.
   */
  read(begin: number, buffers: readonly Uint8Array[]): void;

  /** Writes a run of adjacent blocks, as {@link read} reads them. The buffers belong to the caller again when it returns. */
  write(begin: number, buffers: readonly Uint8Array[]): void;

  /** Returns when everything written before is on stable storage. */
  flush(): void;

  /**
   * As {@link flush}, but off the main thread. Covers what was written before the call. Absent where the platform can't;
   * then callers use {@link flush}.
   */
  flushAsync?(): Promise<void>;

  /**
   * Makes the device `nrBlocks` long. New blocks read as zeros. Absent when the device's length is fixed. A change of length is
   * durable after the next flush.
   */
  resize?(nrBlocks: number): void;

  /** Says that the content of a run of blocks is no longer needed; it reads as anything afterwards. A hint: never fails for
   * reasons of the disk. */
  discard?(begin: number, count: number): void;

  /** Releases the device without flushing. Idempotent. */
  close(): void;
}
