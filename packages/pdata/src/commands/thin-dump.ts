/** `thin_dump`: metadata as XML, on standard output or into a file. */

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
import { runDump } from '../dump-command.ts';
import { repairOptions } from '../repair-options.ts';
import type { Report } from '../report.ts';

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

export function run(args: Arguments): number {
  return runDump(args, args.has('metadata-snap'), ({ device, sink, report, onProgress }) => {
    const Writer = WRITERS[args.has('json') ? 'ndjson' : (args.text('format') ?? 'xml')] ?? ThinXmlWriter;
    if (args.has('repair')) {
      const { devIds, skipMappings = false } = optionsFrom(args);
      const options = { skipMappings, ...(devIds === undefined ? {} : { devIds }), onProgress };
      dumpThin(repaired(device, args, report), new Writer(sink), options);
    } else dumpThin(device, new Writer(sink), { ...optionsFrom(args), onProgress });
  });
}
