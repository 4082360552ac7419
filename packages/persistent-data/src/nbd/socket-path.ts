import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { UnsupportedError } from '../base/index.ts';

/** Longest path of a unix socket in bytes; the system silently cuts longer ones. */
export const MAX_PATH_BYTES = 107;

/**
 * A path for a unix socket: the one that is wanted, or, when that is too long for the system, one in `XDG_RUNTIME_DIR` that is made from it and
 * always the same.
 *
 * @throws {UnsupportedError} when it is too long and there is no other place.
 */
export function unixSocketPath(wanted: string, runtimeFolder = process.env.XDG_RUNTIME_DIR): string {
  if (Buffer.byteLength(wanted) <= MAX_PATH_BYTES) return wanted;
  const digest = createHash('sha256').update(resolve(wanted)).digest('hex').slice(0, 16);
  const other = join(runtimeFolder ?? '', 'persistent-data', `${digest}.sock`);
  if (runtimeFolder && Buffer.byteLength(other) <= MAX_PATH_BYTES) return other;
  throw tooLong(wanted);
}

/** The error for a path that the system would cut. */
export function tooLong(path: string): UnsupportedError {
  const length = Buffer.byteLength(path);
  return new UnsupportedError(
    `Cannot listen on ${path}: ${length} bytes, a socket's path has at most ${MAX_PATH_BYTES}`,
  );
}
