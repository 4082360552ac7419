/**
 * Everything that can go wrong for reasons outside this program. Match on `code` where two copies of the package may be loaded,
 * with `instanceof` otherwise. Messages: the action that failed, a colon, found, then wanted.
 */
export abstract class PersistentDataError extends Error {
  abstract readonly code: string;
}

/** Where on the disk a {@link CorruptionError} was found. */
export interface CorruptionPlace {
  /** Block number, in 4096-byte blocks of the device. */
  readonly block?: number;
  /** What the block was read as: `btree_node`, `bitmap`, `thin_superblock`, … */
  readonly kind?: string;
  /** Block numbers from the root to the block, root first. */
  readonly path?: readonly number[];
  /** The field that is not believable, by its name in docs/format.md. */
  readonly field?: string;
  readonly found?: number | bigint | string;
  readonly expected?: number | bigint | string;
}

/** The disk holds something that no correct program wrote there: a wrong checksum, a misplaced block, an impossible field. */
export class CorruptionError extends PersistentDataError implements CorruptionPlace {
  override readonly name = 'CorruptionError';
  readonly code = 'PDATA_CORRUPT';
  readonly block?: number;
  readonly kind?: string;
  readonly path?: readonly number[];
  readonly field?: string;
  readonly found?: number | bigint | string;
  readonly expected?: number | bigint | string;

  constructor(message: string, place: CorruptionPlace = {}, options?: ErrorOptions) {
    super(message, options);
    Object.assign(this, place);
  }
}

/** Which space is used up: `metadata` blocks, `data` blocks, or room on the `host` file system. */
export type Space = 'metadata' | 'data' | 'host';

/** Space is used up; `space` says which. */
export class NoSpaceError extends PersistentDataError {
  override readonly name = 'NoSpaceError';
  readonly code = 'PDATA_NO_SPACE';
  readonly space: Space;

  constructor(message: string, space: Space, options?: ErrorOptions) {
    super(message, options);
    this.space = space;
  }
}

/** The object was opened read-only, or was latched after a failed write or flush; then `cause` is that failure. */
export class ReadOnlyError extends PersistentDataError {
  override readonly name = 'ReadOnlyError';
  readonly code = 'PDATA_READ_ONLY';
}

/** A non-blocking reader needs a block that is not in memory. Prefetch it and try again. */
export class WouldBlockError extends PersistentDataError {
  override readonly name = 'WouldBlockError';
  readonly code = 'PDATA_WOULD_BLOCK';
}

/** The device failed; `cause` has the system's error. */
export class DeviceError extends PersistentDataError {
  override readonly name = 'DeviceError';
  readonly code = 'PDATA_IO';
}

/** A version, an incompatible feature flag, or something that this platform can't do. */
export class UnsupportedError extends PersistentDataError {
  override readonly name = 'UnsupportedError';
  readonly code = 'PDATA_UNSUPPORTED';
}

/** Who holds a file. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** Another writer has it open; `holder` says who, where that is known. */
export class LockedError extends PersistentDataError {
  override readonly name = 'LockedError';
  readonly code = 'PDATA_LOCKED';
  readonly holder: LockHolder | undefined;

  constructor(message: string, holder?: LockHolder, options?: ErrorOptions) {
    super(message, options);
    this.holder = holder;
  }
}

/** The thing exists already, does not exist, is closed, or has another transaction id or base than was expected. */
export class StateError extends PersistentDataError {
  override readonly name = 'StateError';
  readonly code = 'PDATA_STATE';
}

/** A peer broke the protocol. */
export class ProtocolError extends PersistentDataError {
  override readonly name = 'ProtocolError';
  readonly code = 'PDATA_PROTOCOL';
}

/** A text (XML, an option) is not well-formed or not allowed. The one class outside {@link PersistentDataError}. */
export class ParseError extends SyntaxError {
  override readonly name = 'ParseError';
  readonly code = 'PDATA_PARSE';
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters. */
  readonly column: number;

  constructor(message: string, line: number, column: number, options?: ErrorOptions) {
    super(`${message} (line ${line}, column ${column})`, options);
    this.line = line;
    this.column = column;
  }
}
