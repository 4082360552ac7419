/** `cache_check`: checks metadata; repairs what is trivial when asked to. */

import { CacheCheck, type CacheCheckPhase } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { cacheGradeText, type GradedCache, gradeCache } from '../cache-check-grade.ts';
import { CacheCheckText } from '../cache-check-text.ts';
import { runCheck } from '../check-command.ts';

const PARTS = ['super-block-only', 'skip-mappings', 'skip-hints', 'skip-discards'] as const;

export function run(args: Arguments): number {
  const isPartly = PARTS.some((option) => args.has(option));
  return runCheck<CacheCheckPhase, CacheCheck, GradedCache>(args, {
    begin: (device, hooks) => {
      return new CacheCheck(device, {
        superblockOnly: args.has('super-block-only'),
        skipMappings: args.has('skip-mappings'),
        skipHints: args.has('skip-hints'),
        skipDiscards: args.has('skip-discards'),
        ignoreNonFatal: args.has('ignore-non-fatal-errors'),
        ...hooks,
      });
    },
    makeText: (report, findings) => new CacheCheckText(report, findings),
    facts: ({ superblock, nrMapped, nrDirty }) => ({
      metadataVersion: superblock?.version,
      cleanShutdown: superblock && (superblock.flags & 1) !== 0,
      needsCheck: superblock && (superblock.flags & 2) !== 0,
      cacheBlocks: superblock?.cacheBlocks,
      mappedBlocks: superblock && !isPartly ? nrMapped : undefined,
      dirtyBlocks: superblock && !isPartly ? nrDirty : undefined,
    }),
    // A look at a part only says nothing of leaks, and repairs nothing.
    canRepair: !isPartly,
    grade: (device, findings) => (isPartly ? undefined : gradeCache(device, findings, args.operand(0))),
    gradeText: cacheGradeText,
  });
}
