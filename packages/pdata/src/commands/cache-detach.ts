/** `cache_detach`: says whether a cache can be dropped, and what that would lose; with its devices, writes back what must be first. */

import { type CacheWriteback, type DetachReport, detachReport } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { openCacheDataDevices } from '../cache-data-devices.ts';
import { isSoundCache, writeBack } from '../cache-writeback-run.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';
import { prettyBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';
import { UsageError } from '../usage-error.ts';
import { failedLine, outcomeJson } from './cache-writeback.ts';

export async function run(args: Arguments): Promise<number> {
  const path = args.required('metadata-device');
  const asJson = args.has('json');
  const writesBack = args.has('fast-device') || args.has('origin-device');
  for (const option of writesBack ? ['fast-device', 'origin-device'] : []) {
    if (!args.has(option))
      throw new UsageError(`the following required arguments were not provided:\n  --${option} <FILE>`);
  }
  const report = new Report({ quiet: args.has('quiet') || asJson });
  if (!isSoundCache(path, new Report({ quiet: args.has('quiet') }))) return EXIT.precheck;
  const before = reportOf(path);
  let outcome: CacheWriteback | undefined;
  if (writesBack && !before.canBeDropped) {
    const devices = openCacheDataDevices(args);
    try {
      outcome = await writeBack(args, path, devices, report);
    } finally {
      devices.close();
    }
  }
  const now = outcome === undefined ? before : reportOf(path);
  if (asJson) printJson({ version: 1, ...now, writtenBack: outcome && outcomeJson(outcome) });
  else if (!args.has('quiet')) writeStdout(`${textOf(now, outcome, writesBack)}\n`);
  return now.canBeDropped ? EXIT.ok : EXIT.failure;
}

function reportOf(path: string): DetachReport {
  const device = openMetadataInput(path, false);
  try {
    return detachReport(device);
  } finally {
    device.close();
  }
}

function textOf(now: DetachReport, outcome: CacheWriteback | undefined, writesBack: boolean): string {
  const { canBeDropped, cleanShutdown, nrMapped, nrAtRisk, bytesAtRisk } = now;
  const lines: string[] = [];
  if (outcome !== undefined) {
    lines.push(`written back: ${outcome.nrCopied} of ${outcome.nrBlocks} blocks`);
    lines.push(...outcome.failed.map((block) => `  ${failedLine(block).trimEnd()}`));
  }
  if (canBeDropped) {
    lines.push(`the cache can be dropped: none of its ${nrMapped} mapped blocks is newer than the origin's`);
    return lines.join('\n');
  }
  lines.push(
    `the cache must not be dropped: ${nrAtRisk} of ${nrMapped} mapped blocks (${prettyBytes(bytesAtRisk)}) would be lost`,
  );
  if (!cleanShutdown)
    lines.push('it was not shut down in order: nobody knows which blocks are dirty, so all of them count');
  if (!writesBack) lines.push('what helps: --fast-device and --origin-device, to write them back');
  return lines.join('\n');
}
