/** `era_check`: checks era metadata. */

import { EraCheck, type EraCheckPhase } from 'persistent-data/era';
import type { Arguments } from '../arguments.ts';
import { runCheck } from '../check-command.ts';
import { eraGradeText, type GradedEraCheck, gradeEraCheck } from '../era-check-grade.ts';
import { EraCheckText } from '../era-check-text.ts';

export function run(args: Arguments): number {
  const superblockOnly = args.has('super-block-only');
  const ignoreNonFatal = args.has('ignore-non-fatal-errors');
  return runCheck<EraCheckPhase, EraCheck, GradedEraCheck>(args, {
    begin: (device, hooks) => new EraCheck(device, { superblockOnly, ignoreNonFatal, ...hooks }),
    makeText: (report, findings) => new EraCheckText(report, findings),
    facts: ({ superblock }) => {
      const { nrBlocks = 0, nrAllocated = 0 } = superblock?.metadataSpaceMapRoot ?? {};
      return {
        currentEra: superblock?.currentEra,
        nrBlocks: superblock?.nrBlocks,
        metadataSnapshot: superblock && (superblock.metadataSnap === 0 ? null : superblock.metadataSnap),
        freeMetadataBlocks: superblock && nrBlocks - nrAllocated,
      };
    },
    grade: (device, findings) => (superblockOnly ? undefined : gradeEraCheck(device, findings, args.operand(0))),
    gradeText: eraGradeText,
  });
}
