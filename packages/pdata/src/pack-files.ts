/** What packing and unpacking need of the system: zlib, and a file that is read in order. */

import { readSync } from 'node:fs';
import { deflateSync, inflateSync } from 'node:zlib';
import type { PackSource, ZlibCodec } from 'persistent-data/thin';

export const zlib: ZlibCodec = {
  deflate: (bytes) => deflateSync(bytes),
  inflate: (bytes, maxBytes) => inflateSync(bytes, { maxOutputLength: maxBytes }),
};

/** The bytes of an open file in order, from its begin. */
export class FileSource implements PackSource {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(buffer: Uint8Array): number {
    let done = 0;
    while (done < buffer.length) {
      const got = readSync(this.#fd, buffer, done, buffer.length - done, null);
      if (got === 0) break;
      done += got;
    }
    return done;
  }
}
