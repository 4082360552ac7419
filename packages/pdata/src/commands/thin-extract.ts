/** `thin_extract`: the bytes of a volume, out of a pool's metadata and data, also of a damaged one. */

import { closeSync, fsyncSync, openSync } from 'node:fs';
import type { BlockDevice } from 'persistent-data/io';
import { findRoots, planRepair, repairedView, ThinImage } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openDataDevice } from '../data-device.ts';
import { openMetadataInput, refuseSameFile } from '../files.ts';
import { printJson } from '../print-json.ts';
import { repairOptions } from '../repair-options.ts';
import { Report } from '../report.ts';
import { copyVolume, SparseFile, Stream, surveyVolume, type VolumeHole } from '../volume-copy.ts';

const BUFFER_BYTES = 4 << 20;

export function run(args: Arguments): number {
  const output = args.text('output');
  const asJson = args.has('json') && output !== undefined;
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const metadata = openMetadataInput(args.required('metadata-dev'), args.has('metadata-snap'));
  try {
    const { device, image } = open(metadata, args);
    const id = args.number('dev-id')!;
    const root = image.roots().get(id);
    if (root === undefined) throw new Error(`Unable to find mapping tree for thin device ${id}`);
    const data = openDataDevice(args.required('data-dev'), 'r');
    const fd = output === undefined ? undefined : openOutput(output, args);
    const progress = report.progress('MiB');
    try {
      const { end, holes } = surveyVolume(device, root);
      const blockBytes = image.superblock.dataBlockSize * 512;
      const sizeBytes = sizeFrom(args) ?? end * blockBytes;
      const target = fd === undefined ? new Stream() : new SparseFile(fd, sizeBytes);
      const copied = copyVolume(device, target, {
        ...{ root, blockBytes, sizeBytes, bufferBytes: BUFFER_BYTES },
        ...{ dataFd: data.fd, dataBytes: data.sizeBytes },
        onProgress: (done) => progress.update(done >>> 20, sizeBytes >>> 20),
      });
      if (fd !== undefined) fsyncSync(fd);
      progress.end();
      for (const hole of holes) report.warn(holeText(hole));
      if (asJson) {
        const shown = holes.map((hole) => ({ ...hole, end: Number.isFinite(hole.end) ? hole.end : null }));
        printJson({ version: 1, output, sizeBytes, copiedBytes: copied, unresolved: shown });
      }
      return holes.length === 0 ? EXIT.ok : EXIT.failure;
    } finally {
      progress.end();
      closeSync(data.fd);
      if (fd !== undefined) closeSync(fd);
    }
  } finally {
    metadata.close();
  }
}

/** The pool as it is; with `--repair` or `--choose` as a repair would make it. */
function open(metadata: BlockDevice, args: Arguments): { device: BlockDevice; image: ThinImage } {
  if (!args.has('repair') && !args.has('choose')) {
    return { device: metadata, image: new ThinImage(metadata, { metadataSnapshot: args.has('metadata-snap') }) };
  }
  const device = repairedView(metadata, planRepair(findRoots(metadata), repairOptions(args)));
  return { device, image: new ThinImage(device) };
}

function openOutput(output: string, args: Arguments): number {
  closeSync(openSync(output, 'a'));
  refuseSameFile(args.required('metadata-dev'), output);
  refuseSameFile(args.required('data-dev'), output);
  return openSync(output, 'r+');
}

function sizeFrom(args: Arguments): number | undefined {
  const sectors = args.number('size');
  return sectors === undefined ? undefined : sectors * 512;
}

function holeText({ begin, end, block }: VolumeHole): string {
  const range = Number.isFinite(end) ? `${begin}..${end}` : `${begin}..`;
  return `virtual blocks ${range} cannot be resolved: metadata block ${block} is damaged`;
}
