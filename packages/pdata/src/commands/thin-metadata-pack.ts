/** `thin_metadata_pack`: metadata in a small file, to be sent to somebody. */

import { closeSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
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
      const packed = new PackOutput(target);
      const summary = packMetadata(device, (bytes) => packed.write(bytes), {
        zlib,
        redact: args.has('redact'),
        onProgress: (done, total) => progress.update(done, total),
      });
      packed.finish();
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

/**
 * Takes a pack file. Nothing at its end says that it is whole, so its header is written last, and before it zeros, where that can be: what an interrupted
 * command leaves is no pack file.
 */
class PackOutput {
  readonly #fd: number;
  readonly #isFile: boolean;
  #header: Uint8Array | undefined;

  constructor(fd: number) {
    this.#fd = fd;
    this.#isFile = fstatSync(fd).isFile();
  }

  /** The first piece is the header. */
  write(bytes: Uint8Array): void {
    if (this.#isFile && this.#header === undefined) {
      this.#header = bytes.slice();
      bytes = new Uint8Array(bytes.length);
    }
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done, bytes.length - done);
  }

  finish(): void {
    if (!this.#isFile) return;
    fsyncSync(this.#fd);
    if (this.#header !== undefined) writeSync(this.#fd, this.#header, 0, this.#header.length, 0);
    fsyncSync(this.#fd);
  }
}
