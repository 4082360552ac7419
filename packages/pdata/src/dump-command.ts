/** The skeleton of `thin_dump`, `cache_dump` and `era_dump`: metadata as text, on standard output or into a file. */

import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import type { BlockDevice } from 'persistent-data/io';
import type { ByteSink } from 'persistent-data/xml';
import type { Arguments } from './arguments.ts';
import { EXIT } from './command.ts';
import { openMetadataInput, refuseSameFile } from './files.ts';
import { Report } from './report.ts';
import { writeStdout } from './standard-output.ts';

/** What a dump reads, where it writes to, and whom it tells how far it is. */
export interface DumpJob {
  readonly device: BlockDevice;
  readonly sink: ByteSink;
  readonly report: Report;
  readonly onProgress: (done: number, total: number) => void;
}

/** Opens input and output, lets `dump` do its work, closes. @param isLive - The metadata may be in use. */
export function runDump(args: Arguments, isLive: boolean, dump: (job: DumpJob) => void): number {
  const report = new Report({ quiet: args.has('quiet') });
  const device = openMetadataInput(args.operand(0), isLive);
  const fd = openOutput(args);
  const progress = report.progress('blocks');
  try {
    const sink = fd === undefined ? writeStdout : (bytes: Uint8Array): void => writeAll(fd, bytes);
    dump({ device, sink, report, onProgress: (done, total) => progress.update(done, total) });
  } finally {
    progress.end();
    if (fd !== undefined) closeSync(fd);
    device.close();
  }
  return EXIT.ok;
}

/** Whether lines of JSON are wanted, and not XML. */
export function wantsNdjson(args: Arguments): boolean {
  return args.has('json') || args.text('format') === 'ndjson';
}

/** The file to write to. It is emptied, so it had better not be the input. */
function openOutput(args: Arguments): number | undefined {
  const output = args.text('output');
  if (output === undefined) return undefined;
  if (existsSync(output)) refuseSameFile(args.operand(0), output);
  try {
    return openSync(output, 'w');
  } catch (error) {
    throw new Error('output error', { cause: error });
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset, bytes.length - offset);
}
