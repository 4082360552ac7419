/** `thin_repair`: makes a pool of what is left of one, on another device; shows before what that would keep and lose. */

import { FileDevice } from 'persistent-data/io';
import { dumpThin, findRoots, planRepair, repairedView, ThinRestore } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { checkOutputFile, openMetadataInput, refuseSameFile } from '../files.ts';
import { printJson } from '../print-json.ts';
import { repairOptions } from '../repair-options.ts';
import { printPreview } from '../repair-preview-text.ts';
import { Report } from '../report.ts';

export function run(args: Arguments): number {
  const input = args.required('input');
  const isPreview = args.has('preview');
  const output = isPreview ? undefined : args.required('output');
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const device = openMetadataInput(input, false);
  const progress = report.progress('blocks');
  try {
    if (output !== undefined) {
      checkOutputFile(output);
      refuseSameFile(input, output);
    }
    const found = findRoots(device, { onProgress: (done, total) => progress.update(done, total) });
    progress.end();
    const options = repairOptions(args);
    if (output === undefined) {
      printPreview(device, found, options, asJson);
      return EXIT.ok;
    }
    const plan = planRepair(found, options);
    if (plan.detailsRoot === undefined) {
      report.warn(`found ${found.mapping.length} mapping trees without device details`);
    }
    const target = FileDevice.open(output);
    const rebuilding = report.progress('blocks');
    try {
      dumpThin(repairedView(device, plan), new ThinRestore(target), {
        onProgress: (done, total) => rebuilding.update(done, total),
      });
    } finally {
      rebuilding.end();
      target.close();
    }
    if (asJson) {
      const { mapping, detailsRoot, time, transactionId, dataBlockSizeSectors, nrDataBlocks } = plan;
      const superblock = { time, transactionId, dataBlockSizeSectors, nrDataBlocks };
      printJson({ version: 1, output, mappingRoot: mapping.block, detailsRoot: detailsRoot ?? null, superblock });
    }
  } finally {
    progress.end();
    device.close();
  }
  return EXIT.ok;
}
