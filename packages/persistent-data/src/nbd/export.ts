/** Nothing when it is done, a promise when it has to wait. Both may fail. */
export type Answer = void | Promise<void>;

/**
 * Receives the extents of a block status in order, beginning at the offset that was asked for.
 *
 * @param length - Bytes, at least 1. What goes past the range that was asked for is cut off.
 * @param flags - What the context says about them: an integer from 0 to 2^32 - 1.
 * @returns False when no more are wanted.
 */
export type ExtentSink = (length: number, flags: number) => boolean;

/** Sizes of requests, in bytes. `min` and `preferred` are powers of two. */
export interface NbdBlockSize {
  /** Offsets and lengths are multiples of it, 1 to 65536; the server refuses others, also from clients that never asked. */
  readonly min: number;
  /** Fastest; at least 512 and `min`. */
  readonly preferred: number;
  /** Longest payload; at least `preferred`. */
  readonly max: number;
}

/** How zeroes are to be written. */
export interface WriteZeroesOptions {
  /** The range has to be allocated, so that later writes to it need no space. */
  readonly noHole: boolean;
  /** Only if that is faster than writing: otherwise throw an {@link NbdError} `ENOTSUP` at once, with nothing changed. */
  readonly fast: boolean;
}

/**
 * What a server serves: bytes by offset. Sizes, offsets and lengths are bytes, in numbers.
 *
 * - The server has checked every request: inside the size, aligned to `blockSize.min`, not longer than `blockSize.max` for payloads, at
 *   least 1 byte, nothing that changes a read-only export.
 * - A method that can answer at once returns nothing; one that has to wait returns a promise. Both fail the same way: an
 *   `NbdError` chooses the error, `NoSpaceError` is ENOSPC, `ReadOnlyError` EPERM, anything else EIO, with its message.
 * - Requests of one connection are started in the order in which they came, and several may wait at once; whoever implements this
 *   keeps the order of those that overlap.
 * - Buffers belong to the export until its promise is settled, and to the server again afterwards.
 * - {@link flush} covers every write, trim and zeroing, from any connection, that had been answered or settled when it was called.
 *   The server calls it after a request with FUA, so that all that wait at one moment can share one commit.
 */
export interface NbdExport {
  /** Bytes; asked for once per connection. */
  readonly size: number;
  readonly readOnly: boolean;
  /** For people, in lists of exports. */
  readonly description?: string;
  /** Default: 1, 4096, 32 MiB. */
  readonly blockSize?: NbdBlockSize;
  /** Whether `writeZeroes` can be asked to be fast. */
  readonly canFastZero?: boolean;
  /**
   * Whether several connections see each other's writes, and a flush on one covers all. Default: true, as is natural for an
   * object that all connections share.
   */
  readonly canMultiConn?: boolean;
  /**
   * The metadata contexts that {@link blockStatus} answers, such as `base:allocation`, which has to be there if any is.
   * Called for each negotiation.
   */
  readonly contexts?: readonly string[];

  /** Fills `into` with the bytes at `offset`. */
  read(offset: number, into: Uint8Array): Answer;
  /** Absent from an export that is read-only. */
  write?(offset: number, data: Uint8Array): Answer;
  flush(): Answer;
  /** The range is not needed any more: a hint. Absent: trimming is not offered. */
  trim?(offset: number, length: number): Answer;
  /** Absent: not offered. */
  writeZeroes?(offset: number, length: number, options: WriteZeroesOptions): Answer;
  /** The range will be read soon: a hint. Absent: not offered. */
  cache?(offset: number, length: number): Answer;
  /**
   * Tells the extents of a range in one of {@link contexts}: at least the first one; it may end early. The server also asks for
   * `base:allocation` before long reads, so that unmapped ranges are not sent; then only a plain answer is of use.
   */
  blockStatus?(context: string, offset: number, length: number, add: ExtentSink): Answer;
}

/** What an export without {@link NbdExport.blockSize} has. */
export const DEFAULT_BLOCK_SIZE: NbdBlockSize = { min: 1, preferred: 4096, max: 32 * 1024 * 1024 };
