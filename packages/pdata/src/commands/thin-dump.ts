/** `thin_dump`: metadata as XML, on standard output or into a file. */

import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import type { BlockDevice } from 'persistent-data/io';
import {
  dumpThin,
  findRoots,
  planRepair,
  repairedView,
  ThinCsvWriter,
  type ThinDumpOptions,
  ThinHumanWriter,
  ThinNdjsonWriter,
  ThinXmlWriter,
} from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput, refuseSameFile } from '../files.ts';
import { repairOptions } from '../repair-options.ts';
import { Report } from '../report.ts';
import { writeStdout } from '../standard-output.ts';

const WRITERS: Readonly<
  Record<string, typeof ThinXmlWriter | typeof ThinHumanWriter | typeof ThinNdjsonWriter | typeof ThinCsvWriter>
> = {
  xml: ThinXmlWriter,
  human_readable: ThinHumanWriter,
  ndjson: ThinNdjsonWriter,
  csv: ThinCsvWriter,
};

/** The pool as a repair would make it. */
function repaired(device: BlockDevice, args: Arguments, report: Report): BlockDevice {
  const found = findRoots(device);
  const plan = planRepair(found, repairOptions(args));
  if (plan.detailsRoot === undefined) report.warn(`found ${found.mapping.length} mapping trees without device details`);
  return repairedView(device, plan);
}

function optionsFrom(args: Arguments): ThinDumpOptions {
  const transactionId = args.text('transaction-id');
  const dataBlockSizeSectors = args.number('data-block-size');
  const nrDataBlocks = args.number('nr-data-blocks');
  return {
    metadataSnapshot: args.number('metadata-snap') ?? args.has('metadata-snap'),
    skipMappings: args.has('skip-mappings'),
    ...(args.has('dev-id') ? { devIds: args.numbers('dev-id') } : {}),
    ...(transactionId === undefined ? {} : { transactionId: BigInt(transactionId) }),
    ...(dataBlockSizeSectors === undefined ? {} : { dataBlockSizeSectors }),
    ...(nrDataBlocks === undefined ? {} : { nrDataBlocks }),
  };
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

export function run(args: Arguments): number {
  const report = new Report({ quiet: args.has('quiet') });
  const device = openMetadataInput(args.operand(0), args.has('metadata-snap'));
  const fd = openOutput(args);
  const progress = report.progress('blocks');
  try {
    const sink = fd === undefined ? writeStdout : (bytes: Uint8Array): void => writeAll(fd, bytes);
    const Writer = WRITERS[args.text('format') ?? 'xml'] ?? ThinXmlWriter;
    const onProgress = (done: number, total: number): void => progress.update(done, total);
    if (args.has('repair')) {
      const { devIds, skipMappings = false } = optionsFrom(args);
      const options = { skipMappings, ...(devIds === undefined ? {} : { devIds }), onProgress };
      dumpThin(repaired(device, args, report), new Writer(sink), options);
    } else dumpThin(device, new Writer(sink), { ...optionsFrom(args), onProgress });
  } finally {
    progress.end();
    if (fd !== undefined) closeSync(fd);
    device.close();
  }
  return EXIT.ok;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset, bytes.length - offset);
}
