/** What a check comes to: how bad it is, whom it concerns, and what would help. */

import type { Finding } from 'persistent-data';
import type { BlockDevice } from 'persistent-data/io';
import { type DevicePreview, findRoots, planRepair, previewRepair } from 'persistent-data/thin';

/**
 * `clean`; `leaks`: space is lost and nothing else; `repairable`: a repair keeps every mapping of every device; `data at risk`: a repair would lose
 * mappings, or nothing is left to repair with.
 */
export type Grade = 'clean' | 'leaks' | 'repairable' | 'data at risk';

/** A grade with its reasons. */
export interface GradedCheck {
  readonly grade: Grade;
  /** Devices that a repair would not keep as they are. */
  readonly devices: readonly Pick<DevicePreview, 'id' | 'fate' | 'kept' | 'changed' | 'lost' | 'revived' | 'ranges'>[];
  /** The command that helps; absent when none is needed, or none can. */
  readonly advice?: string;
}

/** Grades what a check found. Where there is damage, looks for what a repair could do: reads the whole device once more. */
export function gradeCheck(device: BlockDevice, findings: readonly Finding[], path: string): GradedCheck {
  if (!findings.some(({ severity }) => severity === 'fatal')) {
    if (!findings.some(({ severity }) => severity === 'leak')) return { grade: 'clean', devices: [] };
    return { grade: 'leaks', devices: [], advice: `thin_check --auto-repair ${path}` };
  }
  const found = findRoots(device);
  if (found.mapping.length === 0) return { grade: 'data at risk', devices: [] };
  const blockSize = found.superblock === undefined ? ' --data-block-size SECTORS' : '';
  // The block size does not matter for what is kept.
  const overrides = { dataBlockSizeSectors: found.superblock?.dataBlockSize ?? 128 };
  const { mapping, detailsRoot } = planRepair(found, { overrides });
  const affected = previewRepair(device, found, mapping).filter(({ fate }) => fate !== 'kept');
  const isKept = affected.length === 0 && found.superblock !== undefined && detailsRoot !== undefined;
  return {
    grade: isKept ? 'repairable' : 'data at risk',
    devices: affected.map(({ id, fate, kept, changed, lost, revived, ranges }) => {
      return { id, fate, kept, changed, lost, revived, ranges };
    }),
    advice: isKept
      ? `thin_repair -i ${path} -o OUTPUT`
      : `thin_repair -i ${path} --preview, then thin_repair -i ${path} -o OUTPUT${blockSize}`,
  };
}

/** The grade for people. */
export function gradeText({ grade, devices, advice }: GradedCheck): string {
  const lines = devices.map(({ id, fate, lost, ranges }) => {
    const where = ranges.slice(0, 4).map(({ kind, begin, end }) => `${kind} ${begin}..${end ?? ''}`);
    const more = ranges.length > where.length ? `, and ${ranges.length - where.length} more ranges` : '';
    const what = fate === 'lost' ? `would be lost${lost === null ? '' : `, with ${lost} mappings`}` : fate;
    return `  device ${id}: ${what}${where.length === 0 ? '' : `: ${where.join(', ')}${more}`}`;
  });
  return [`grade: ${grade}`, ...lines, ...(advice === undefined ? [] : [`what helps: ${advice}`])].join('\n');
}
