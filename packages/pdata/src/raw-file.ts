/** Raw files and the streams of volumes: what `volume import`, `export`, `send` and `receive` read and write. */

import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { PAYLOAD_BYTES, parseHead, RECORD, RecordReader, RecordWriter } from 'persistent-data/pool';
import { checkInputFile } from './files.ts';
import { writeAll } from './output-file.ts';
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

/** What became of a stream: bytes of the volume, and of data. */
export interface RawOutcome {
  readonly sizeBytes: number;
  readonly dataBytes: number;
}

/** Writes the content of a stream into a sparse file that is open and empty. */
export function writeRawFile(
  fd: number,
  stream: AsyncIterable<Uint8Array>,
  options: { readonly progress: Progress },
): Promise<RawOutcome> {
  return takeRecords(stream, options, {
    begin: (sizeBytes) => ftruncateSync(fd, sizeBytes),
    data: (bytes, offset) => writeAll(fd, bytes, offset),
    end: () => undefined,
  });
}

/** Writes the content of a stream, with its zeros, to standard output. */
export async function writeRawStream(
  stream: AsyncIterable<Uint8Array>,
  options: { readonly progress: Progress; readonly write: (bytes: Uint8Array) => Promise<void> },
): Promise<RawOutcome> {
  let at = 0;
  const fill = async (to: number): Promise<void> => {
    for (; at < to; at += Math.min(ZEROS.length, to - at)) await options.write(ZEROS.subarray(0, to - at));
  };
  return takeRecords(stream, options, {
    begin: () => undefined,
    data: async (bytes, offset) => {
      await fill(offset);
      await options.write(bytes);
      at = offset + bytes.length;
    },
    end: fill,
  });
}

interface Taker {
  begin(sizeBytes: number): void;
  data(bytes: Uint8Array, offset: number): Promise<void> | void;
  end(sizeBytes: number): Promise<void> | void;
}

async function takeRecords(
  stream: AsyncIterable<Uint8Array>,
  { progress }: { readonly progress: Progress },
  taker: Taker,
): Promise<RawOutcome> {
  const reader = new RecordReader();
  let sizeBytes = 0;
  let dataBytes = 0;
  let isWhole = false;
  try {
    for await (const piece of stream) {
      for (const record of reader.take(piece)) {
        if (record.type === RECORD.begin) {
          ({ sizeBytes } = parseHead(record));
          taker.begin(sizeBytes);
        } else if (record.type === RECORD.data) {
          await taker.data(record.payload, record.offset);
          dataBytes += record.length;
          progress.update(Math.floor(record.offset / MIB), Math.ceil(sizeBytes / MIB));
        } else if (record.type === RECORD.end) {
          await taker.end(sizeBytes);
          isWhole = true;
        }
      }
    }
  } finally {
    progress.end();
  }
  if (!isWhole) throw new Error('Cannot export: the volume came in part only');
  return { sizeBytes, dataBytes };
}
