/** `cache_repair`: makes metadata of what can be read of some, on another device; shows before what that would keep and lose. */

import { type CacheRepairPreview, previewCacheRepair, repairCache } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { lossLines } from '../cache-check-grade.ts';
import { printJson } from '../print-json.ts';
import { runRepair } from '../repair-command.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  return runRepair<CacheRepairPreview>(args, {
    survey: previewCacheRepair,
    preview: (_device, found, asJson) => {
      if (asJson) printJson({ version: 1, ...found });
      else writeStdout(previewText(found));
    },
    plan: (device) => (target, onProgress) => ({ ...repairCache(device, target, onProgress) }),
  });
}

function previewText(found: CacheRepairPreview): string {
  const { cacheBlocks, nrMappings, nrDirty, nrHints, cleanShutdown } = found;
  const end = cleanShutdown ? '' : ', not shut down in order: all of them count as dirty, and stay so';
  const kept = `would keep ${nrMappings} mappings of ${cacheBlocks} cache blocks, ${nrDirty} of them dirty, ${nrHints} hints${end}`;
  const losses = lossLines(found);
  return `${[kept, ...(losses.length === 0 ? ['would lose nothing'] : ['would lose:', ...losses])].join('\n')}\n`;
}
