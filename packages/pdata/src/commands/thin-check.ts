/** `thin_check`: checks metadata; repairs what is trivial when asked to. */

import { ThinCheck, type ThinCheckOptions, type ThinCheckPhase } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { runCheck } from '../check-command.ts';
import { type GradedCheck, gradeCheck, gradeText } from '../check-grade.ts';
import { ThinCheckText } from '../thin-check-text.ts';

export function run(args: Arguments): number {
  const options = optionsFrom(args);
  const isPartly = ['super-block-only', 'skip-mappings', 'metadata-snap'].some((option) => args.has(option));
  return runCheck<ThinCheckPhase, ThinCheck, GradedCheck>(args, {
    isLive: args.has('metadata-snap'),
    begin: (device, hooks) => new ThinCheck(device, { ...options, ...hooks }),
    makeText: (report, findings) => new ThinCheckText(report, findings),
    header: { before: 'top-level', text: headerOf },
    facts: ({ superblock }) => {
      const { nrBlocks = 0, nrAllocated = 0 } = superblock?.metadataSpaceMapRoot ?? {};
      return {
        transactionId: superblock?.transactionId,
        freeMetadataBlocks: superblock && nrBlocks - nrAllocated,
        needsCheck: superblock && (superblock.flags & 1) !== 0,
      };
    },
    grade: (device, findings) => (isPartly ? undefined : gradeCheck(device, findings, args.operand(0))),
    gradeText,
  });
}

function headerOf({ superblock }: ThinCheck): string | undefined {
  if (superblock === undefined) return undefined;
  const { nrBlocks, nrAllocated } = superblock.metadataSpaceMapRoot;
  return `TRANSACTION_ID=${superblock.transactionId}\nMETADATA_FREE_BLOCKS=${nrBlocks - nrAllocated}\n`;
}

function optionsFrom(args: Arguments): ThinCheckOptions {
  const overrideMappingRoot = args.number('override-mapping-root');
  const overrideDetailsRoot = args.number('override-details-root');
  return {
    superblockOnly: args.has('super-block-only'),
    skipMappings: args.has('skip-mappings'),
    metadataSnapshot: args.has('metadata-snap'),
    ignoreNonFatal: args.has('ignore-non-fatal-errors'),
    ...(overrideMappingRoot === undefined ? {} : { overrideMappingRoot }),
    ...(overrideDetailsRoot === undefined ? {} : { overrideDetailsRoot }),
  };
}
