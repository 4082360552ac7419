/** The skeleton of `thin_repair`, `cache_repair` and `era_repair`: makes metadata of what is left of some, on another device; or shows what that would keep. */

import { type BlockDevice, FileDevice } from 'persistent-data/io';
import type { Arguments } from './arguments.ts';
import { EXIT } from './command.ts';
import { checkOutputFile, openMetadataInput, refuseSameFile } from './files.ts';
import { printJson } from './print-json.ts';
import { Report } from './report.ts';

/** Told how far the work is. */
export type OnProgress = (done: number, total: number) => void;

/** What differs from family to family. */
export interface RepairFamily<Found> {
  /** Looks at what is there, before anything is written. */
  survey(device: BlockDevice, onProgress: OnProgress): Found;
  /** Prints what a repair would keep and lose. */
  preview(device: BlockDevice, found: Found, asJson: boolean): void;
  /** Decides what to take, and answers what writes it to the target; that answers what `--json` says of it. @throws when nothing can be made of it. */
  plan(
    device: BlockDevice,
    found: Found,
    report: Report,
  ): (target: BlockDevice, onProgress: OnProgress) => Readonly<Record<string, unknown>>;
}

/** Runs a repair as the command line says. Answers the exit code. */
export function runRepair<Found>(args: Arguments, family: RepairFamily<Found>): number {
  const input = args.required('input');
  const output = args.has('preview') ? undefined : args.required('output');
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const device = openMetadataInput(input, false);
  const progress = report.progress('blocks');
  try {
    if (output !== undefined) {
      checkOutputFile(output);
      refuseSameFile(input, output);
    }
    const found = family.survey(device, (done, total) => progress.update(done, total));
    progress.end();
    if (output === undefined) {
      family.preview(device, found, asJson);
      return EXIT.ok;
    }
    const write = family.plan(device, found, report);
    const target = FileDevice.open(output);
    const rebuilding = report.progress('blocks');
    try {
      const facts = write(target, (done, total) => rebuilding.update(done, total));
      rebuilding.end();
      if (asJson) printJson({ version: 1, output, ...facts });
    } finally {
      rebuilding.end();
      target.close();
    }
  } finally {
    progress.end();
    device.close();
  }
  return EXIT.ok;
}
