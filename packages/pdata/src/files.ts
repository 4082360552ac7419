/** Checks of files and devices that are named on the command line, before anything else is done, with the tools' own messages. */

import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { BLOCK_SIZE, FileDevice } from 'persistent-data/io';

/** Outputs are at least this long: ten blocks. */
const MIN_OUTPUT_BYTES = 10 * BLOCK_SIZE;

function statOf(path: string, missing: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error(missing);
    throw new Error(`Couldn't get status of '${path}'`, { cause: error });
  }
}

/** @throws {Error} unless `path` is a file or block device that exists. */
export function checkInputFile(path: string): void {
  const stats = statOf(path, `Couldn't find input file '${path}'`);
  if (!stats.isFile() && !stats.isBlockDevice()) throw new Error(`Not a block device or regular file '${path}'.`);
}

/** Opens metadata for reading. @param live - It may be in use: a metadata snapshot is read, which nobody changes. */
export function openMetadataInput(path: string, live: boolean): FileDevice {
  checkInputFile(path);
  const head = firstBytes(path);
  if (head.length < BLOCK_SIZE) {
    throw new Error('Metadata device/file too small.  Is this binary metadata?');
  }
  if (looksLikeXml(head)) {
    throw new Error('This looks like XML.  This tool only supports the binary metadata format.');
  }
  return FileDevice.open(path, { readOnly: true, exclusive: !live });
}

/** Opens metadata for changing it in place. */
export function openMetadataInPlace(path: string): FileDevice {
  openMetadataInput(path, true).close();
  return FileDevice.open(path);
}

/** @throws {Error} unless `path` is a file or device that can take metadata. It is not created, nor cut or lengthened. */
export function checkOutputFile(path: string): void {
  const stats = statOf(path, `Couldn't find output file '${path}'`);
  if (!stats.isFile() && !stats.isBlockDevice()) throw new Error(`Not a block device or regular file '${path}'.`);
  if (stats.isFile() && stats.size < MIN_OUTPUT_BYTES) throw new Error('Output file too small.');
}

/** @throws {Error} when both names are of one file: it would be overwritten while it is read. */
export function refuseSameFile(input: string, output: string): void {
  const a = statSync(input);
  const b = statSync(output);
  const same = a.isBlockDevice() && b.isBlockDevice() ? a.rdev === b.rdev : a.dev === b.dev && a.ino === b.ino;
  if (same) throw new Error(`Input and output are the same file: '${output}'`);
}

/** The first block of a file, or less where it is shorter. */
function firstBytes(path: string): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(BLOCK_SIZE);
    return bytes.subarray(0, readSync(fd, bytes, 0, BLOCK_SIZE, 0));
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether the first thing that is no white space is a "<", and text follows. A checksum comes first in metadata, and one in thousands looks like the
 * beginning of a tag; behind it are flags, which are no text.
 */
function looksLikeXml(head: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(head.subarray(0, 512));
  return /^\s*<[!?A-Za-z][\s -~]{6}/.test(text);
}
