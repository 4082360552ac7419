/** Raw files and the streams of volumes: what `volume import`, `export`, `send` and `receive` read and write. */

import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { PAYLOAD_BYTES, parseHead, RECORD, RecordReader, RecordWriter } from 'persistent-data/pool';
import { checkInputFile } from './files.ts';
import type { Progress } from './report.ts';

const MIB = 2 ** 20;
const ZEROS = Buffer.alloc(PAYLOAD_BYTES);
/** Volumes come in sectors. */
const SECTOR_BYTES = 512;

/** The stream of a volume with a raw file's content; what is zeros is left out. The last sector is filled with zeros. */
export async function* rawFileStream(
  path: string,
  options: { readonly name: string; readonly progress: Progress },
): AsyncGenerator<Uint8Array, void, undefined> {
  checkInputFile(path);
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const sizeBytes = Math.ceil(size / SECTOR_BYTES) * SECTOR_BYTES;
    const writer = new RecordWriter();
    const uuid = crypto.randomUUID();
    yield writer.begin({ version: 1, name: options.name, uuid, sizeBytes, from: 0, resumable: false });
    const buffer = Buffer.alloc(PAYLOAD_BYTES);
    for (let at = 0; at < size; at += PAYLOAD_BYTES) {
      const length = Math.min(PAYLOAD_BYTES, size - at);
      let done = 0;
      while (done < length) {
        const count = readSync(fd, buffer, done, length - done, at + done);
        if (count === 0) throw new Error(`Cannot read ${path}: it became shorter meanwhile`);
        done += count;
      }
      const bytes = buffer.subarray(0, length);
      if (!bytes.equals(ZEROS.subarray(0, length))) yield writer.data(at, bytes);
      options.progress.update(Math.floor(at / MIB), Math.ceil(size / MIB));
      if (at % (64 * PAYLOAD_BYTES) === 0) await new Promise(setImmediate);
    }
    yield writer.end(sizeBytes);
  } finally {
    options.progress.end();
    closeSync(fd);
  }
}

/** Writes the content of a stream into a new sparse file. @returns Bytes of the volume, and of data. */
export async function writeRawFile(
  path: string,
  stream: AsyncIterable<Uint8Array>,
  options: { readonly overwrite: boolean; readonly progress: Progress },
): Promise<{ sizeBytes: number; dataBytes: number }> {
  const fd = openSync(path, options.overwrite ? 'w' : 'wx');
  const reader = new RecordReader();
  let sizeBytes = 0;
  let dataBytes = 0;
  let isWhole = false;
  try {
    for await (const piece of stream) {
      for (const record of reader.take(piece)) {
        if (record.type === RECORD.begin) {
          ({ sizeBytes } = parseHead(record));
          ftruncateSync(fd, sizeBytes);
        } else if (record.type === RECORD.data) {
          writeAll(fd, record.payload, record.offset);
          dataBytes += record.length;
          options.progress.update(Math.floor(record.offset / MIB), Math.ceil(sizeBytes / MIB));
        } else if (record.type === RECORD.end) isWhole = true;
      }
    }
  } finally {
    options.progress.end();
    closeSync(fd);
  }
  if (!isWhole) throw new Error(`Cannot write ${path}: the volume came in part only`);
  return { sizeBytes, dataBytes };
}

/** Writes all of a buffer. @param offset - Where; `null` for the end of what was written before. */
export function writeAll(fd: number, bytes: Uint8Array, offset: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset === null ? null : offset + done);
  }
}
