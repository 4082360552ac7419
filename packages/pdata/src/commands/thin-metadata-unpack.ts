/** `thin_metadata_unpack`: metadata out of a packed file. */

import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { metadataBlockKind } from 'persistent-data/format';
import { BLOCK_SIZE, type BlockDevice, FileDevice } from 'persistent-data/io';
import { unpackMetadata } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { checkInputFile, refuseSameFile } from '../files.ts';
import { FileSource, zlib } from '../pack-files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';

/** Blocks of zeros written with one call to a device that is not new. */
const ZERO_BLOCKS = 256;

export function run(args: Arguments): number {
  const input = args.required('input');
  const output = args.required('output');
  const asJson = args.has('json');
  checkInputFile(input);
  if (existsSync(output)) {
    refuseSameFile(input, output);
    if (!args.has('force') && holdsMetadata(output) && !isSure()) throw new Error('Output file not overwritten');
  }
  const progress = new Report({ quiet: asJson }).progress('blocks');
  const fd = openSync(input, 'r');
  let device: FileDevice | undefined;
  try {
    const summary = unpackMetadata(new FileSource(fd), {
      zlib,
      target: (nrBlocks) => {
        device = FileDevice.open(output, { create: true });
        return emptied(device, nrBlocks);
      },
      onProgress: (done) => progress.update(done, done),
    });
    if (asJson) printJson({ version: 1, output, ...summary });
  } finally {
    progress.end();
    device?.close();
    closeSync(fd);
  }
  return EXIT.ok;
}

/** Makes a file of zeros of this length; of a block device, its begin. */
function emptied(device: FileDevice, nrBlocks: number): BlockDevice {
  if (device.resize !== undefined) {
    device.resize(0);
    device.resize(nrBlocks);
    return device;
  }
  if (device.nrBlocks < nrBlocks) {
    throw new Error(`Output device too small: it has ${device.nrBlocks} blocks, ${nrBlocks} are wanted`);
  }
  const zeros = new Uint8Array(ZERO_BLOCKS * BLOCK_SIZE);
  for (let begin = 0; begin < nrBlocks; begin += ZERO_BLOCKS) {
    device.write(begin, [zeros.subarray(0, Math.min(ZERO_BLOCKS, nrBlocks - begin) * BLOCK_SIZE)]);
  }
  return device;
}

function holdsMetadata(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const words = new Uint32Array(BLOCK_SIZE / 4);
    const got = readSync(fd, new Uint8Array(words.buffer), 0, BLOCK_SIZE, 0);
    return got === BLOCK_SIZE && (metadataBlockKind(words, 0)?.endsWith('Superblock') ?? false);
  } finally {
    closeSync(fd);
  }
}

/** Asks on the terminal, or whoever is at standard input. */
function isSure(): boolean {
  process.stderr.write('The destination appears to already contain metadata, are you sure? [y/n]: ');
  try {
    const answer = new Uint8Array(16);
    const got = readSync(0, answer, 0, answer.length, null);
    return new TextDecoder().decode(answer.subarray(0, got)).trim().toLowerCase() === 'y';
  } catch {
    return false;
  }
}
