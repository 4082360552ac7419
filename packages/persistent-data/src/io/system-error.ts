import { DeviceError, NoSpaceError } from '../base/index.ts';

/** No room on the file system, none in the user's quota, the file or the file system's file size limit is reached. */
const NO_SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The system's name of an error, `ENOENT` for example; `undefined` when it is none of the system's. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/**
 * An error of the system as this library throws it: a `NoSpaceError` of `host` space, or a `DeviceError`.
 *
 * @param action - What failed, such as `write 3 blocks at block 7 of pool.img`.
 */
export function deviceError(action: string, cause: unknown): DeviceError | NoSpaceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const message = `Cannot ${action}: ${text}`;
  return NO_SPACE_CODES.has(systemCode(cause) ?? '')
    ? new NoSpaceError(message, 'host', { cause })
    : new DeviceError(message, { cause });
}
