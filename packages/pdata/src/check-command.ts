/** The skeleton of `thin_check`, `cache_check` and `era_check`: opens, checks, says or prints what was found, repairs what is trivial, grades. */

import type { Finding } from 'persistent-data';
import type { BlockDevice } from 'persistent-data/io';
import type { Arguments } from './arguments.ts';
import { CheckFindings, type CheckVerdict } from './check-findings.ts';
import { type CheckText, type InPlaceRepair, PhaseFailedError } from './check-text.ts';
import { EXIT } from './command.ts';
import { openMetadataInPlace, openMetadataInput } from './files.ts';
import { printJson } from './print-json.ts';
import { Report } from './report.ts';
import { writeStdout } from './standard-output.ts';

/** Whom a check tells how far it is. */
export interface CheckHooks<Phase extends string> {
  readonly onPhase?: (phase: Phase) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A check that is to run once. */
export interface RunnableCheck {
  run(): Iterable<Finding>;
  /** Whether {@link repair} would change anything. */
  readonly needsRepair?: boolean;
  repair?(): InPlaceRepair;
}

/** A grade of what was found, with its reasons: it goes into `--json` as it is. */
export interface Graded {
  readonly grade: string;
}

/** What differs from family to family. */
export interface CheckFamily<Phase extends string, Check extends RunnableCheck, Grade extends Graded> {
  /** Whether the metadata may be in use: it is not opened exclusively. */
  readonly isLive?: boolean;
  begin(device: BlockDevice, hooks: CheckHooks<Phase>): Check;
  makeText(report: Report, findings: CheckFindings): CheckText<Phase>;
  /** What standard output gets before phase `header.before`, or at the end of a look at the superblock alone. */
  readonly header?: { readonly before: NoInfer<Phase>; text(check: Check): string | undefined };
  /** What `--json` says of the superblock. */
  facts(check: Check): Readonly<Record<string, unknown>>;
  /** Whether what was checked allows a repair in place; default true. */
  readonly canRepair?: boolean;
  /** How bad it is; `undefined` where only a part was looked at, or it may be changing. May read all once more. */
  grade(device: BlockDevice, findings: readonly Finding[]): Grade | undefined;
  gradeText(grade: Grade): string;
}

/** Runs a check as the command line says. Answers the exit code. */
export function runCheck<Phase extends string, Check extends RunnableCheck, Grade extends Graded>(
  args: Arguments,
  family: CheckFamily<Phase, Check, Grade>,
): number {
  const { isLive = false } = family;
  const isRepair = args.has('auto-repair') || args.has('clear-needs-check-flag');
  const path = args.operand(0);
  const device = isRepair ? openMetadataInPlace(path) : openMetadataInput(path, isLive);
  try {
    return args.has('json') ? checkAsJson(device, args, family, isRepair) : checkAsText(device, args, family, isRepair);
  } finally {
    device.close();
  }
}

function exitCode(verdict: CheckVerdict, repaired: InPlaceRepair | undefined, args: Arguments): number {
  if (verdict === 'damaged') return EXIT.failure;
  if (verdict === 'leaks' && repaired === undefined && !args.has('ignore-non-fatal-errors')) return EXIT.failure;
  return EXIT.ok;
}

/** Repairs what is trivial, where that was asked for and may be done. A look at a part only says nothing of leaks. */
function repair(check: RunnableCheck, verdict: CheckVerdict, isRepair: boolean): InPlaceRepair | undefined {
  return isRepair && verdict !== 'damaged' && check.needsRepair ? check.repair?.() : undefined;
}

/** Everything, in one object at the end. */
function checkAsJson<Phase extends string, Check extends RunnableCheck, Grade extends Graded>(
  device: BlockDevice,
  args: Arguments,
  family: CheckFamily<Phase, Check, Grade>,
  isRepair: boolean,
): number {
  const check = family.begin(device, {});
  const findings = new CheckFindings();
  for (const finding of check.run()) findings.add(finding);
  const { verdict } = findings;
  const repaired = repair(check, verdict, isRepair && family.canRepair !== false);
  printJson({
    version: 1,
    verdict,
    ...family.facts(check),
    ...family.grade(device, findings.singles),
    findings: findings.asJson(),
    repaired,
  });
  return exitCode(verdict, repaired, args);
}

/** As version 1.x speaks: what is wrong in one phase ends the check after it. */
function checkAsText<Phase extends string, Check extends RunnableCheck, Grade extends Graded>(
  device: BlockDevice,
  args: Arguments,
  family: CheckFamily<Phase, Check, Grade>,
  isRepair: boolean,
): number {
  const report = new Report({ quiet: args.has('quiet') });
  const progress = report.progress('blocks');
  const findings = new CheckFindings();
  const { header } = family;
  const sayHeader = (): void => {
    const text = args.has('quiet') ? undefined : header?.text(check);
    if (text !== undefined) writeStdout(text);
  };
  const onPhase = (phase: Phase): void => {
    text.endPhase();
    if (phase === header?.before) sayHeader();
    text.beginPhase(phase);
  };
  const text = family.makeText(report, findings);
  const check: Check = family.begin(device, {
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
    const graded = args.has('quiet') ? undefined : family.grade(device, findings.singles);
    if (graded !== undefined) report.warn(family.gradeText(graded));
    return EXIT.failure;
  } finally {
    progress.end();
  }
  const { verdict } = findings;
  const repaired = repair(check, verdict, isRepair && family.canRepair !== false);
  if (repaired !== undefined) text.repaired(repaired);
  const code = exitCode(verdict, repaired, args);
  if (code !== EXIT.ok) text.leaks();
  return code;
}
