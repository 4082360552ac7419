/** Copies the data blocks of a volume to where it is wanted, in large pieces. */

import { ftruncateSync, readSync, writeSync } from 'node:fs';
import { BLOCK_SIZE, type BlockDevice } from 'persistent-data/io';
import { salvageMappings } from 'persistent-data/thin';
import { writeStdout } from './standard-output.ts';

/** Virtual blocks that cannot be resolved; half-open, `end` may be Infinity. */
export interface VolumeHole {
  readonly begin: number;
  readonly end: number;
  /** The metadata block at fault. */
  readonly block: number;
}

/** Takes the bytes of a volume in order: those that are mapped, and what lies between. */
export interface VolumeTarget {
  /** `length` bytes that nothing is mapped to. */
  skip(position: number, length: number): void;
  write(position: number, bytes: Uint8Array): void;
}

/** What a volume consists of, as far as its metadata can be read. */
export function surveyVolume(metadata: BlockDevice, root: number): { end: number; holes: VolumeHole[] } {
  let end = 0;
  const holes: VolumeHole[] = [];
  salvageMappings(metadata, root, {
    map: (virtualBegin, _data, length) => {
      end = virtualBegin + length;
    },
    lost: (begin, to, block) => holes.push({ begin, end: to, block }),
  });
  return { end, holes };
}

/** How to copy. */
export interface CopyVolumeOptions {
  readonly root: number;
  readonly blockBytes: number;
  /** Bytes of the volume. What is mapped beyond is left out. */
  readonly sizeBytes: number;
  readonly bufferBytes: number;
  /** The open data device, and its length in bytes. */
  readonly dataFd: number;
  readonly dataBytes: number;
  readonly onProgress?: (doneBytes: number) => void;
}

/**
 * Copies what is mapped. @returns The bytes that were copied.
 * @throws {Error} when a mapping leads beyond the end of the data device.
 */
export function copyVolume(metadata: BlockDevice, target: VolumeTarget, options: CopyVolumeOptions): number {
  const { root, blockBytes, sizeBytes, dataFd, dataBytes, onProgress } = options;
  const buffer = new Uint8Array(Math.max(BLOCK_SIZE, options.bufferBytes));
  let position = 0;
  let copied = 0;
  salvageMappings(metadata, root, {
    map: (virtualBegin, dataBegin, length) => {
      const begin = virtualBegin * blockBytes;
      const end = Math.min(begin + length * blockBytes, sizeBytes);
      if (begin >= end) return;
      if (begin > position) target.skip(position, begin - position);
      const from = dataBegin * blockBytes;
      if (from + end - begin > dataBytes) {
        throw new Error(`data block ${dataBegin} is mapped, and the data device has ${dataBytes} bytes`);
      }
      for (let at = begin; at < end; ) {
        const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
        readFully(dataFd, piece, from + at - begin);
        target.write(at, piece);
        at += piece.length;
        copied += piece.length;
        onProgress?.(copied);
      }
      position = end;
    },
    lost: () => undefined,
  });
  if (sizeBytes > position) target.skip(position, sizeBytes - position);
  return copied;
}

function readFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const got = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (got === 0) throw new Error(`the data device ends at byte ${position + done}`);
    done += got;
  }
}

const ZEROS = new Uint8Array(1 << 18);

/** A file: nothing is written where nothing is mapped, so that it stays sparse. */
export class SparseFile implements VolumeTarget {
  readonly #fd: number;

  constructor(fd: number, sizeBytes: number) {
    this.#fd = fd;
    ftruncateSync(fd, 0);
    ftruncateSync(fd, sizeBytes);
  }

  skip(): void {}

  write(position: number, bytes: Uint8Array): void {
    writeFully(this.#fd, bytes, position);
  }
}

/** A block device. With `zero`, what nothing is mapped to becomes zeros, otherwise it stays. */
export class RawDevice implements VolumeTarget {
  readonly #fd: number;
  readonly #zero: boolean;

  constructor(fd: number, options: { readonly zero: boolean }) {
    this.#fd = fd;
    this.#zero = options.zero;
  }

  skip(position: number, length: number): void {
    if (!this.#zero) return;
    for (let done = 0; done < length; done += ZEROS.length) {
      writeFully(this.#fd, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)), position + done);
    }
  }

  write(position: number, bytes: Uint8Array): void {
    writeFully(this.#fd, bytes, position);
  }
}

/** Standard output: all bytes in order. */
export class Stream implements VolumeTarget {
  skip(_position: number, length: number): void {
    for (let done = 0; done < length; done += ZEROS.length) {
      writeStdout(ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
    }
  }

  write(_position: number, bytes: Uint8Array): void {
    writeStdout(bytes);
  }
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
