/** `thin_migrate`: copies a volume out of a pool that is not active. */

import { closeSync, fsyncSync, openSync } from 'node:fs';
import { ThinImage } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { type DataDevice, openDataDevice } from '../data-device.ts';
import { openMetadataInput, refuseSameFile } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';
import { copyVolume, RawDevice, SparseFile, surveyVolume } from '../volume-copy.ts';

const DEFAULT_BUFFER_MIB = 64;
const LIVE =
  'live migration is not supported: it needs device-mapper ioctls; give --metadata-dev, --data-dev and --dev-id of an inactive pool';

/** @throws {Error} with the texts of version 1.x as far as it has them. */
function checkOptions(args: Arguments): { metadata: string; data: string; id: number } {
  const metadata = args.text('metadata-dev');
  const data = args.text('data-dev');
  const id = args.number('dev-id');
  const isOffline = metadata !== undefined && data !== undefined && id !== undefined;
  if (!isOffline && !args.has('source-dev')) throw new Error('You must specify a source');
  if (!args.has('dest-dev') && !args.has('dest-file')) throw new Error('You must specify a dest');
  if (!isOffline) throw new Error(LIVE);
  return { metadata, data, id };
}

export function run(args: Arguments): number {
  const { metadata: metadataPath, data: dataPath, id } = checkOptions(args);
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const metadata = openMetadataInput(metadataPath, false);
  const progress = report.progress('MiB');
  try {
    const image = new ThinImage(metadata);
    const root = image.roots().get(id);
    if (root === undefined) throw new Error(`Unable to find mapping tree for thin device ${id}`);
    const { end, holes } = surveyVolume(metadata, root);
    if (holes[0] !== undefined) {
      throw new Error('metadata contains errors (run thin_check for details).\nperhaps you wanted to use thin_extract');
    }
    const blockBytes = image.superblock.dataBlockSize * 512;
    const sizeSectors = args.number('size');
    const sizeBytes = sizeSectors === undefined ? end * blockBytes : sizeSectors * 512;
    const data = openDataDevice(dataPath, 'r');
    try {
      const copied = copyTo(args, [metadataPath, dataPath], sizeBytes, (target) =>
        copyVolume(metadata, target, {
          ...{ root, blockBytes, sizeBytes, dataFd: data.fd, dataBytes: data.sizeBytes },
          bufferBytes: (args.number('buffer-size-meg') ?? DEFAULT_BUFFER_MIB) << 20,
          onProgress: (done) => progress.update(Math.floor(done / 2 ** 20), Math.floor(sizeBytes / 2 ** 20)),
        }),
      );
      if (asJson) printJson({ version: 1, sizeBytes, copiedBytes: copied });
    } finally {
      closeSync(data.fd);
    }
  } finally {
    progress.end();
    metadata.close();
  }
  return EXIT.ok;
}

function copyTo(
  args: Arguments,
  inputs: readonly string[],
  sizeBytes: number,
  copy: (target: SparseFile | RawDevice) => number,
): number {
  const file = args.text('dest-file');
  if (file !== undefined) {
    closeSync(openSync(file, 'a'));
    for (const input of inputs) refuseSameFile(input, file);
    const fd = openSync(file, 'r+');
    try {
      const copied = copy(new SparseFile(fd, sizeBytes));
      fsyncSync(fd);
      return copied;
    } finally {
      closeSync(fd);
    }
  }
  const target = openDestination(args.required('dest-dev'), inputs, sizeBytes, args.has('size'));
  try {
    const copied = copy(new RawDevice(target.fd, { zero: args.has('zero-dest') }));
    fsyncSync(target.fd);
    return copied;
  } finally {
    closeSync(target.fd);
  }
}

function openDestination(path: string, inputs: readonly string[], sizeBytes: number, isExact: boolean): DataDevice {
  const target = openDataDevice(path, 'r+');
  for (const input of inputs) refuseSameFile(input, path);
  if (target.sizeBytes < sizeBytes || (isExact && target.sizeBytes !== sizeBytes)) {
    closeSync(target.fd);
    throw new Error(`lengths differ: input(${sizeBytes / 512}) != output(${target.sizeBytes / 512})`);
  }
  return target;
}
