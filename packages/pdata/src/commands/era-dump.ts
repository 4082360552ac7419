/** `era_dump`: era metadata as XML, on standard output or into a file. */

import { dumpEra, EraNdjsonWriter, EraXmlWriter, FoldingVisitor, salvageEra } from 'persistent-data/era';
import type { Arguments } from '../arguments.ts';
import { runDump, wantsNdjson } from '../dump-command.ts';
import { lossLine } from '../era-loss-text.ts';

export function run(args: Arguments): number {
  const logical = args.has('logical');
  return runDump(args, false, ({ device, sink, report, onProgress }) => {
    const writer = wantsNdjson(args) ? new EraNdjsonWriter(sink) : new EraXmlWriter(sink);
    if (args.has('repair')) {
      const losses = salvageEra(device, logical ? new FoldingVisitor(writer) : writer);
      for (const loss of losses) report.warn(lossLine(loss));
    } else dumpEra(device, writer, { logical, onProgress });
  });
}
