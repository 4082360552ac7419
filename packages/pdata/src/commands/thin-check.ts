/** `thin_check`: checks metadata; repairs what is trivial when asked to. */

import type { BlockDevice } from 'persistent-data/io';
import { ThinCheck, type ThinCheckOptions, type ThinCheckPhase, type ThinRepairOutcome } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { CheckFindings, type CheckVerdict } from '../check-findings.ts';
import { type GradedCheck, gradeCheck, gradeText } from '../check-grade.ts';
import { CheckText, PhaseFailedError } from '../check-text.ts';
import { EXIT } from '../command.ts';
import { openMetadataInPlace, openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { Report } from '../report.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  const isRepair = args.has('auto-repair') || args.has('clear-needs-check-flag');
  const device = isRepair
    ? openMetadataInPlace(args.operand(0))
    : openMetadataInput(args.operand(0), args.has('metadata-snap'));
  try {
    return args.has('json') ? checkAsJson(device, args, isRepair) : checkAsText(device, args, isRepair);
  } finally {
    device.close();
  }
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

function exitCode(verdict: CheckVerdict, repaired: ThinRepairOutcome | undefined, args: Arguments): number {
  if (verdict === 'damaged') return EXIT.failure;
  if (verdict === 'leaks' && repaired === undefined && !args.has('ignore-non-fatal-errors')) return EXIT.failure;
  return EXIT.ok;
}

/** Repairs what is trivial, where that was asked for and may be done. A look at a part of the pool only says nothing of leaks. */
function repair(check: ThinCheck, verdict: CheckVerdict, isRepair: boolean): ThinRepairOutcome | undefined {
  return isRepair && verdict !== 'damaged' && check.needsRepair ? check.repair() : undefined;
}

/** How bad it is; `undefined` where only a part was looked at, or the pool may be changing. Reads all once more if there is damage. */
function grade(device: BlockDevice, findings: CheckFindings, args: Arguments): GradedCheck | undefined {
  const isPartly = ['super-block-only', 'skip-mappings', 'metadata-snap'].some((option) => args.has(option));
  return isPartly ? undefined : gradeCheck(device, findings.singles, args.operand(0));
}

/** Everything, in one object at the end. */
function checkAsJson(device: BlockDevice, args: Arguments, isRepair: boolean): number {
  const check = new ThinCheck(device, optionsFrom(args));
  const findings = new CheckFindings();
  for (const finding of check.run()) findings.add(finding);
  const { verdict } = findings;
  const repaired = repair(check, verdict, isRepair);
  const { superblock } = check;
  const { nrBlocks = 0, nrAllocated = 0 } = superblock?.metadataSpaceMapRoot ?? {};
  printJson({
    version: 1,
    verdict,
    transactionId: superblock?.transactionId,
    freeMetadataBlocks: superblock && nrBlocks - nrAllocated,
    needsCheck: superblock && (superblock.flags & 1) !== 0,
    ...grade(device, findings, args),
    findings: findings.asJson(),
    repaired,
  });
  return exitCode(verdict, repaired, args);
}

/** As version 1.x speaks: what is wrong in one phase ends the check after it. */
function checkAsText(device: BlockDevice, args: Arguments, isRepair: boolean): number {
  const report = new Report({ quiet: args.has('quiet') });
  const progress = report.progress('blocks');
  const findings = new CheckFindings();
  const sayHeader = (): void => {
    if (check.superblock === undefined || args.has('quiet')) return;
    const { nrBlocks, nrAllocated } = check.superblock.metadataSpaceMapRoot;
    writeStdout(`TRANSACTION_ID=${check.superblock.transactionId}\nMETADATA_FREE_BLOCKS=${nrBlocks - nrAllocated}\n`);
  };
  const onPhase = (phase: ThinCheckPhase): void => {
    text.endPhase();
    if (phase === 'top-level') sayHeader();
    text.beginPhase(phase);
  };
  const text = new CheckText(report, findings);
  const check: ThinCheck = new ThinCheck(device, {
    ...optionsFrom(args),
    onPhase,
    onProgress: (done, total) => progress.update(done, total),
  });
  try {
    for (const finding of check.run()) {
      findings.add(finding);
      text.add(finding);
    }
    if (args.has('super-block-only')) sayHeader();
    text.endPhase();
  } catch (error) {
    if (!(error instanceof PhaseFailedError)) throw error;
    progress.end();
    const graded = args.has('quiet') ? undefined : grade(device, findings, args);
    if (graded !== undefined) report.warn(gradeText(graded));
    return EXIT.failure;
  } finally {
    progress.end();
  }
  const { verdict } = findings;
  const repaired = repair(check, verdict, isRepair);
  if (repaired !== undefined) text.repaired(repaired);
  const code = exitCode(verdict, repaired, args);
  if (code !== EXIT.ok) text.leaks();
  return code;
}
