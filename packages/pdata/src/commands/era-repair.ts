/** `era_repair`: makes era metadata of what is left of some, on another device; or shows what that would have to make up. */

import { type EraLoss, EraRestore, salvageEra } from 'persistent-data/era';
import type { Arguments } from '../arguments.ts';
import { lossLine } from '../era-loss-text.ts';
import { printJson } from '../print-json.ts';
import { runRepair } from '../repair-command.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  return runRepair<readonly EraLoss[]>(args, {
    survey: (device) => salvageEra(device),
    preview: (_device, losses, asJson) => {
      if (asJson) printJson({ version: 1, losses });
      else writeStdout(losses.length === 0 ? 'nothing is lost\n' : `${losses.map(lossLine).join('\n')}\n`);
    },
    plan: (device, losses, report) => {
      for (const loss of losses) report.warn(lossLine(loss));
      return (target) => {
        salvageEra(device, new EraRestore(target));
        return { losses };
      };
    },
  });
}
