/** Standard output for large texts: written as it comes, waiting for slow readers; a reader that went away ends the program silently. */

import { writeSync } from 'node:fs';

const STDOUT = 1;
const NAP_MS = 5;

/** The reader of standard output has gone: nothing is to be said, and the exit code is 64. */
export class ClosedOutputError extends Error {
  override readonly name = 'ClosedOutputError';
}

/** Writes bytes or text to standard output. @throws {ClosedOutputError} when nobody reads any more. */
export function writeStdout(content: Uint8Array | string): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(STDOUT, bytes, offset, bytes.length - offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') throw new ClosedOutputError('standard output was closed', { cause: error });
      if (code !== 'EAGAIN') throw error;
      // A pipe that does not block and is full: give its reader a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS);
    }
  }
}
