import { NoSpaceError, PersistentDataError, ReadOnlyError } from '../base/index.ts';
import { BOUNDS, ERRORS, type NbdErrorName } from './protocol.ts';

/** A request that failed, with the error's name on the wire: thrown by exports to choose it, and by the client on reading it. */
export class NbdError extends PersistentDataError {
  override readonly name = 'NbdError';
  readonly code = 'PDATA_NBD';
  /** The error's name on the wire, `ENOSPC` for example. */
  readonly errno: NbdErrorName;

  constructor(errno: NbdErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errno = errno;
  }
}

const NAME_OF_NUMBER = new Map<number, NbdErrorName>(
  (Object.keys(ERRORS) as NbdErrorName[]).map((name) => [ERRORS[name], name]),
);

/** The name of an error number in a reply; what the protocol does not know is `EINVAL`, as it demands of clients. */
export function errorName(errno: number): NbdErrorName {
  return NAME_OF_NUMBER.get(errno) ?? 'EINVAL';
}

/**
 * Whatever an export threw, as an error for the wire: an {@link NbdError} as it is, want of space `ENOSPC`, a write to something
 * read-only `EPERM`, anything else `EIO`. The text is kept.
 */
export function toNbdError(cause: unknown): NbdError {
  if (cause instanceof NbdError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof NoSpaceError) return new NbdError('ENOSPC', message, { cause });
  // A device that was latched after a failure is "read-only" too, but its writer was not forbidden anything.
  if (cause instanceof ReadOnlyError)
    return new NbdError(cause.cause === undefined ? 'EPERM' : 'EIO', message, { cause });
  return new NbdError('EIO', message, { cause });
}

/** UTF-8 of a text, cut at a character so that it fits into `maxBytes`. */
export function encodeBounded(text: string, maxBytes: number = BOUNDS.stringBytes): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.byteLength <= maxBytes) return bytes;
  let end = maxBytes;
  // Bytes 10xxxxxx continue a character: go back to where it begins.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
