import { ReadOnlyError, StateError } from '../base/index.ts';

/** A run of bytes of a device. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Something that holds data and can be read at any byte: what a volume's external origin has to be. */
export interface ReadableData {
  readonly sizeBytes: number;
  /** Fills `into` with the bytes from `offset` on. */
  read(offset: number, into: Uint8Array): void;
}

/**
 * The device that holds the data of a pool: bytes, not blocks. Synchronous, as `BlockDevice` is, and with its contract: calls transfer all or
 * throw, a write is durable after the next flush, after a failed flush nothing more is written. All units are bytes.
 */
export interface DataDevice extends ReadableData {
  readonly readOnly: boolean;
  /**
   * Everything from this byte on reads as zeros: it was added by {@link resize} since the device was opened, and never written. A promise, not a guess;
   * grows with each write beyond it.
   */
  readonly zeroFrom: number;
  /** Whether {@link punchHoles} does anything. */
  readonly canPunchHoles: boolean;

  write(offset: number, from: Uint8Array): void;
  /** Writes adjacent buffers with one call where the platform can. */
  writeVectored(offset: number, from: readonly Uint8Array[]): void;

  flush(): void;
  /** As {@link flush}, off the main thread. Covers what was written before the call. */
  flushAsync?(): Promise<void>;

  /** Makes the device longer, with zeros. Absent where the length is fixed. */
  resize?(sizeBytes: number): void;

  /**
   * Gives the room of these runs back to the host. Nobody reads or writes them until it has ended. Answers whether they read as zeros now;
   * `false` where the host could not do it, which is no error.
   */
  punchHoles(ranges: readonly ByteRange[]): boolean | Promise<boolean>;

  /**
   * Makes the beginning of a run that nobody needs any more read as zeros, where that costs less than writing them, and has done it when it answers how many
   * bytes: 0 where it can't be done. The next flush makes it durable. Absent where it never can be done.
   */
  clear?(offset: number, length: number): number;

  close(): void;
}

/** @throws {RangeError} when the run does not lie inside the device. */
export function checkBytes(action: string, offset: number, length: number, sizeBytes: number): void {
  if (Number.isInteger(offset) && offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw new RangeError(`Cannot ${action} ${length} bytes at ${offset}: a run inside ${sizeBytes} bytes is wanted`);
}

/** @throws {StateError} when the device is closed. @throws {ReadOnlyError} when it cannot be written. */
export function checkDataWritable(
  action: string,
  device: { readonly isClosed: boolean; readonly readOnly: boolean },
): void {
  if (device.isClosed) throw new StateError(`Cannot ${action}: the data device is closed`);
  if (device.readOnly) throw new ReadOnlyError(`Cannot ${action}: the data device was opened read-only`);
}

/** Zeros, for writing. Never written to. */
const ZEROS = new Uint8Array(64 * 1024);

/** Buffers of zeros, `length` bytes together. */
export function zeroBuffers(length: number): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let rest = length; rest > 0; rest -= ZEROS.length) {
    buffers.push(rest >= ZEROS.length ? ZEROS : ZEROS.subarray(0, rest));
  }
  return buffers;
}

/** The most bytes in one call when zeros are written or a block is copied. */
export const PIECE_BYTES = 1024 * 1024;

/** Writes zeros. */
export function writeZeros(data: DataDevice, offset: number, length: number): void {
  for (let done = 0; done < length; done += PIECE_BYTES) {
    data.writeVectored(offset + done, zeroBuffers(Math.min(PIECE_BYTES, length - done)));
  }
}
