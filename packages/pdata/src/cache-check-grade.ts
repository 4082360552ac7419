/** How bad it is what `cache_check` found, and what helps. */

import type { Finding } from 'persistent-data';
import { type CacheRepairPreview, type LostPart, previewCacheRepair } from 'persistent-data/cache';
import type { BlockDevice } from 'persistent-data/io';

/**
 * `clean`; `leaks`: space is lost, nothing else; `repairable`: a repair keeps every mapping, and what is dirty; `data at risk`: it would lose some, or
 * nothing is left to repair with.
 */
export interface GradedCache {
  readonly grade: 'clean' | 'leaks' | 'repairable' | 'data at risk';
  /** What a repair would do; absent where none is needed, or none can be. */
  readonly repair?: CacheRepairPreview;
  /** The command that helps; absent when none is needed, or none can. */
  readonly advice?: string;
}

/** Grades what a check found. Where there is damage, looks for what a repair could do: reads all once more. */
export function gradeCache(device: BlockDevice, findings: readonly Finding[], path: string): GradedCache {
  if (!findings.some(({ severity }) => severity === 'fatal')) {
    if (!findings.some(({ severity }) => severity === 'leak')) return { grade: 'clean' };
    return { grade: 'leaks', advice: `cache_check --auto-repair ${path}` };
  }
  let repair: CacheRepairPreview;
  try {
    repair = previewCacheRepair(device);
  } catch {
    return { grade: 'data at risk' };
  }
  const isKept = repair.nrLeftOut === 0 && repair.lost.every(({ kind }) => kind === 'hints' || kind === 'discards');
  const advice = `cache_repair -i ${path} -o OUTPUT`;
  return {
    grade: isKept ? 'repairable' : 'data at risk',
    repair,
    advice: isKept ? advice : `cache_repair -i ${path} --preview, then ${advice}`,
  };
}

/** The grade for people. */
export function cacheGradeText({ grade, repair, advice }: GradedCache): string {
  const lines = repair === undefined ? [] : lossLines(repair);
  return [`grade: ${grade}`, ...lines, ...(advice === undefined ? [] : [`what helps: ${advice}`])].join('\n');
}

const MOST_LINES = 8;

const WHAT_IS_LOST: Readonly<Record<LostPart['kind'], string>> = {
  mappings: 'mappings are lost',
  'dirty-bits': 'taken for dirty',
  hints: 'hints are lost',
  discards: 'discards are lost',
};

/** What a repair would lose, a line each. */
export function lossLines({ lost, leftOut, nrLeftOut }: CacheRepairPreview): string[] {
  const parts = lost.map(({ kind, begin, end, message }) => {
    const range = end === Number.POSITIVE_INFINITY ? `from ${begin} on` : `${begin}..${end}`;
    return `  cache blocks ${range}: ${WHAT_IS_LOST[kind]} (${message})`;
  });
  const out = leftOut.slice(0, MOST_LINES).map(({ cacheBlock, originBlock, why }) => {
    const reason = why === 'twice' ? 'is mapped by another block as well' : 'is beyond the origin';
    return `  cache block ${cacheBlock}: left out, its origin block ${originBlock} ${reason}`;
  });
  const more = nrLeftOut > out.length ? [`  and ${nrLeftOut - out.length} more mappings left out`] : [];
  const shown = parts.slice(0, MOST_LINES);
  const moreParts = parts.length > shown.length ? [`  and ${parts.length - shown.length} more ranges`] : [];
  return [...shown, ...moreParts, ...out, ...more];
}
