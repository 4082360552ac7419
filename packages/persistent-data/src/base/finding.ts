/**
 * How bad a finding is. `fatal`: data or structure is wrong. `leak`: space is lost and nothing else. `warning`: untidy, harmless
 * (for example an under-full node that an old kernel left).
 */
export type CheckSeverity = 'fatal' | 'leak' | 'warning';

/** One thing that a `check` found wrong. Checks yield these and go on after the first. */
export interface Finding {
  readonly severity: CheckSeverity;
  /** Stable, machine-readable: `btree.node`, `space-map.leak`, … */
  readonly code: string;
  /** What is wrong, for people: found, then wanted. */
  readonly message: string;
  /** The block concerned, in 4096-byte blocks of the device that was checked. */
  readonly block?: number;
  /** The way from the root: block numbers, root first. */
  readonly path?: readonly number[];
  /** The thin device concerned. */
  readonly device?: number;
  /** Half-open range of keys (virtual blocks for mappings) that cannot be reached because of this. */
  readonly keys?: { readonly begin: bigint; readonly end: bigint };
}

/** Whether a finding means damage, as against lost space or untidiness. */
export function isFatal(finding: Finding): boolean {
  return finding.severity === 'fatal';
}
