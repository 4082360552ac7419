/** `thin_repair`: makes a pool of what is left of one, on another device; shows before what that would keep and lose. */

import { dumpThin, findRoots, planRepair, repairedView, ThinRestore } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { runRepair } from '../repair-command.ts';
import { repairOptions } from '../repair-options.ts';
import { printPreview } from '../repair-preview-text.ts';

export function run(args: Arguments): number {
  return runRepair(args, {
    survey: (device, onProgress) => findRoots(device, { onProgress }),
    preview: (device, found, asJson) => printPreview(device, found, repairOptions(args), asJson),
    plan: (device, found, report) => {
      const plan = planRepair(found, repairOptions(args));
      if (plan.detailsRoot === undefined) {
        report.warn(`found ${found.mapping.length} mapping trees without device details`);
      }
      return (target, onProgress) => {
        dumpThin(repairedView(device, plan), new ThinRestore(target), { onProgress });
        const { mapping, detailsRoot, time, transactionId, dataBlockSizeSectors, nrDataBlocks } = plan;
        const superblock = { time, transactionId, dataBlockSizeSectors, nrDataBlocks };
        return { mappingRoot: mapping.block, detailsRoot: detailsRoot ?? null, superblock };
      };
    },
  });
}
