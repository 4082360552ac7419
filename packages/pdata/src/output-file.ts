/** Files that commands make of streams: they have their name only when they are whole. */

import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { ClosedOutputError, writeStdout } from './standard-output.ts';

const STDOUT = 1;

/**
 * Has a file written under another name beside it, `PATH.partial`, and gives it its name when all of it is on the disk. When the work fails or is interrupted
 * nothing is left, and what had the name keeps it.
 *
 * @throws {Error} when there is something of that name that is not to be overwritten.
 */
export async function writeOutputFile<R>(
  path: string,
  options: { readonly overwrite: boolean },
  work: (fd: number) => Promise<R>,
): Promise<R> {
  if (existsSync(path)) {
    if (!statSync(path).isFile()) throw new Error(`Cannot write '${path}': it is no regular file`);
    if (!options.overwrite) throw new Error(`Cannot write '${path}': there is a file of this name already`);
  }
  const partial = `${path}.partial`;
  let fd: number;
  try {
    fd = openSync(partial, 'w');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Error(`Cannot write '${path}': ${code === 'ENOENT' ? 'its folder does not exist' : message}`, { cause });
  }
  let isWhole = false;
  try {
    const result = await work(fd);
    fsyncSync(fd);
    isWhole = true;
    return result;
  } finally {
    closeSync(fd);
    if (isWhole) renameSync(partial, path);
    else rmSync(partial, { force: true });
  }
}

/** Writes all of a buffer. @param offset - Where; `null` for the end of what was written before. */
export function writeAll(fd: number, bytes: Uint8Array, offset: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset === null ? null : offset + done);
  }
}

/**
 * Standard output for long streams. Where it is a pipe, a slow reader is waited for without blocking, so that Ctrl-C is heard.
 */
export class OutputStream {
  readonly #socket: Socket | undefined;
  #error: Error | undefined;

  constructor() {
    const stats = fstatSync(STDOUT);
    if (!stats.isFIFO() && !stats.isSocket()) return;
    this.#socket = new Socket({ fd: STDOUT, readable: false, writable: true });
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
  }

  /** @throws {ClosedOutputError} when nobody reads any more. */
  async write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) writeStdout(bytes);
    else {
      await new Promise<void>((done, fail) => {
        socket.write(bytes, (cause) => {
          if (cause) fail(new ClosedOutputError('standard output was closed', { cause: this.#error ?? cause }));
          else done();
        });
      });
    }
  }

  /** Gives it back; what was not taken by then is given up. */
  close(): void {
    this.#socket?.destroy();
  }
}
