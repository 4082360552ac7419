/** What a check of era metadata comes to: how bad it is, what a repair would have to make up, and what would help. */

import type { Finding } from 'persistent-data';
import { type EraLoss, salvageEra } from 'persistent-data/era';
import type { BlockDevice } from 'persistent-data/io';
import type { Grade } from './check-grade.ts';
import { lossLine } from './era-loss-text.ts';

/** A grade with its reasons. `repairable`: a repair loses nothing. `data at risk`: it takes blocks for written that may not have been, or cannot be done. */
export interface GradedEraCheck {
  readonly grade: Grade;
  readonly losses: readonly EraLoss[];
  /** The command that helps; absent when none is needed, or none can. */
  readonly advice?: string;
}

/** Grades what a check found. Where there is damage, looks for what a repair could do: reads all once more. */
export function gradeEraCheck(device: BlockDevice, findings: readonly Finding[], path: string): GradedEraCheck {
  const advice = `era_repair -i ${path} -o OUTPUT`;
  if (!findings.some(({ severity }) => severity === 'fatal')) {
    if (!findings.some(({ severity }) => severity === 'leak')) return { grade: 'clean', losses: [] };
    return { grade: 'leaks', losses: [], advice };
  }
  try {
    const losses = salvageEra(device);
    return { grade: losses.length === 0 ? 'repairable' : 'data at risk', losses, advice };
  } catch {
    // Nothing is left to begin with.
    return { grade: 'data at risk', losses: [] };
  }
}

/** Losses that are told one by one. */
const MOST_LINES = 10;

/** The grade for people. */
export function eraGradeText({ grade, losses, advice }: GradedEraCheck): string {
  const lines = losses.slice(0, MOST_LINES).map((loss) => `  ${lossLine(loss)}`);
  if (losses.length > MOST_LINES) lines.push(`  and ${losses.length - MOST_LINES} more`);
  return [`grade: ${grade}`, ...lines, ...(advice === undefined ? [] : [`what helps: ${advice}`])].join('\n');
}
