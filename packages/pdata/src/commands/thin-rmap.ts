/** `thin_rmap`: which devices map some data blocks, and where. */

import { type DataRegion, reverseMap, ThinImage } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';
import { writeStdout } from '../standard-output.ts';
import { UsageError } from '../usage-error.ts';

/** Lines that are printed together. */
const LINES = 4096;

/** @throws {UsageError} with the texts of version 1.x. */
function parseRegion(text: string): DataRegion {
  const refuse = (why: string): never => {
    throw new UsageError(`invalid value '${text}' for '--region <BLOCK_RANGE>': ${why}`);
  };
  const found = /^(\d+)\.\.(\d+)$/.exec(text);
  if (found === null) return refuse('badly formed region');
  const [begin, end] = [Number(found[1]), Number(found[2])];
  return end <= begin ? refuse('end <= begin') : { begin, end };
}

export function run(args: Arguments): number {
  const regions = args.texts('region').map(parseRegion);
  const asJson = args.has('json');
  const report = new Report({ quiet: asJson });
  const device = openMetadataInput(args.operand(0), args.has('metadata-snap'));
  const progress = report.progress('blocks');
  try {
    const image = new ThinImage(device, { metadataSnapshot: args.has('metadata-snap') });
    const total = Math.min(device.nrBlocks, image.superblock.metadataSpaceMapRoot.nrAllocated || device.nrBlocks);
    const runs = reverseMap(image, image.devices(), regions, {
      all: args.has('all'),
      onProgress: (done) => progress.update(Math.min(done, total), total),
    });
    if (asJson) {
      printJson({ version: 1, runs: [...runs] });
      return EXIT.ok;
    }
    let lines: string[] = [];
    for (const { dataBegin, length, device: id, virtualBegin } of runs) {
      progress.end();
      lines.push(`data ${dataBegin}..${dataBegin + length} -> thin(${id}) ${virtualBegin}..${virtualBegin + length}\n`);
      if (lines.length === LINES) {
        writeStdout(lines.join(''));
        lines = [];
      }
    }
    writeStdout(lines.join(''));
  } finally {
    progress.end();
    device.close();
  }
  return EXIT.ok;
}
