/** `cache_writeback`: copies the dirty blocks of a cache that is not active to its origin. */

import type { CacheWriteback, FailedBlock } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { openCacheDataDevices } from '../cache-data-devices.ts';
import { isSoundCache, writeBack } from '../cache-writeback-run.ts';
import { EXIT } from '../command.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';
import { writeStdout } from '../standard-output.ts';

export async function run(args: Arguments): Promise<number> {
  const metadata = args.required('metadata-device');
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const errors = new Report({ quiet: args.has('quiet') });
  if (!isSoundCache(metadata, errors)) return EXIT.precheck;
  const devices = openCacheDataDevices(args);
  try {
    const outcome = await writeBack(args, metadata, devices, report);
    if (asJson) printJson({ version: 1, ...outcomeJson(outcome) });
    else if (!args.has('quiet')) sayOutcome(outcome, args.has('list-failed-blocks'), report);
    if (outcome.failed.length === 0) return EXIT.ok;
    errors.warn('Incompleted writeback');
    return EXIT.failure;
  } finally {
    devices.close();
  }
}

/** What was done, for `--json`. */
export function outcomeJson({ nrBlocks, nrCopied, failed }: CacheWriteback) {
  return { blocks: nrBlocks, copied: nrCopied, failed };
}

function sayOutcome({ nrBlocks, nrCopied, failed }: CacheWriteback, listsFailed: boolean, report: Report): void {
  writeStdout(`${nrCopied}/${nrBlocks} blocks successfully copied\n`);
  if (failed.length === 0) return;
  report.warn(`${failed.length} blocks were not copied`);
  if (listsFailed) writeStdout(failed.map(failedLine).join(''));
}

/** A block that failed, as a line. */
export function failedLine({ cacheBlock, originBlock, step, reason }: FailedBlock): string {
  const what = step === 'read' ? `cannot read cache block ${cacheBlock}` : `cannot write origin block ${originBlock}`;
  return `cache block ${cacheBlock}, origin block ${originBlock}: ${what}: ${reason}\n`;
}
