/** `thin_trim`: gives back what a pool does not use of its data device. */

import { spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { BlockDevice } from 'persistent-data/io';
import { freeDataRuns, ThinCheck, ThinImage } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { type DataDevice, openDataDevice } from '../data-device.ts';
import { checkInputFile, openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';

export function run(args: Arguments): number {
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const metadata = openMetadataInput(args.required('metadata-dev'), false);
  checkInputFile(args.required('data-dev'));
  try {
    if (!isSound(metadata, report)) {
      report.warn('metadata contains errors (run thin_check for details).\nperhaps you need to run thin_repair.');
      return EXIT.precheck;
    }
    const image = new ThinImage(metadata);
    const blockBytes = image.superblock.dataBlockSize * 512;
    const data = openDataDevice(args.required('data-dev'), 'r+');
    const progress = report.progress('runs');
    try {
      const wanted = image.nrDataBlocks * blockBytes;
      if (data.sizeBytes < wanted) throw new Error(`unexpected data device size, wanted ${wanted} bytes`);
      const runs = freeDataRuns(image);
      let bytes = 0;
      for (const [i, { begin, end }] of runs.entries()) {
        discard(data, begin * blockBytes, (end - begin) * blockBytes);
        bytes += (end - begin) * blockBytes;
        progress.update(i + 1, runs.length);
      }
      if (asJson) printJson({ version: 1, nrRuns: runs.length, discardedBytes: bytes });
    } finally {
      progress.end();
      closeSync(data.fd);
    }
  } finally {
    metadata.close();
  }
  return EXIT.ok;
}

/** A full check: what is free is only known when all counts are right. */
function isSound(metadata: BlockDevice, report: Report): boolean {
  report.title('Checking thin metadata');
  const progress = report.progress('blocks');
  try {
    const check = new ThinCheck(metadata, { onProgress: (done, total) => progress.update(done, total) });
    for (const { severity } of check.run()) if (severity === 'fatal') return false;
    return true;
  } finally {
    progress.end();
  }
}

/** Node has no call for this: the system's own programs do it. */
function discard({ path, isBlockDevice }: DataDevice, offset: number, length: number): void {
  const range = ['--offset', String(offset), '--length', String(length), path];
  const [program, argv] = isBlockDevice ? ['blkdiscard', range] : ['fallocate', ['--punch-hole', ...range]];
  const { status, stderr, error } = spawnSync(program, argv, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`Cannot run ${program}`, { cause: error });
  if (status !== 0) throw new Error(stderr.trim());
}
