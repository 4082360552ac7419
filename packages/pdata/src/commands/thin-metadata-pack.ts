/** `thin_metadata_pack`: metadata in a small file, to be sent to somebody. */

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { packMetadata } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput, refuseSameFile } from '../files.ts';
import { zlib } from '../pack-files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';

export function run(args: Arguments): number {
  const output = args.required('output');
  const asJson = args.has('json');
  const report = new Report({ quiet: asJson });
  const device = openMetadataInput(args.required('input'), false);
  const progress = report.progress('blocks');
  try {
    // Its content is kept until it is known that it is not the input.
    const fd = openSync(output, 'a');
    closeSync(fd);
    refuseSameFile(args.required('input'), output);
    const target = openSync(output, 'w');
    try {
      const summary = packMetadata(device, (bytes) => writeAll(target, bytes), {
        zlib,
        redact: args.has('redact'),
        onProgress: (done, total) => progress.update(done, total),
      });
      fsyncSync(target);
      if (asJson) printJson({ version: 1, output, ...summary });
    } finally {
      closeSync(target);
    }
  } finally {
    progress.end();
    device.close();
  }
  return EXIT.ok;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset, bytes.length - offset);
}
