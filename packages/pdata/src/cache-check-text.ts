/** What `cache_check` says, in the words and the order of version 1.x: nothing, unless something is wrong. */

import type { Finding } from 'persistent-data';
import type { CacheCheckPhase } from 'persistent-data/cache';
import { type CheckFindings, type CountedSpace, spaceOf } from './check-findings.ts';
import { CheckText, countLine } from './check-text.ts';
import type { Report } from './report.ts';

/** Codes of findings about elements of an array, which the tools call value errors. */
const VALUES = ['cache.flags', 'cache.dirty', 'cache.unmapped', 'cache.twice', 'cache.beyond-origin'];

/** One check's text. */
export class CacheCheckText extends CheckText<CacheCheckPhase> {
  #hasBadCounts = false;

  constructor(report: Report, findings: CheckFindings) {
    super(report, findings, {});
  }

  protected override get space(): CountedSpace | undefined {
    return this.phase === 'metadata-space-map' ? 'metadata' : undefined;
  }

  protected override sayFailed(): void {
    if (this.#hasBadCounts) this.report.warn('Fatal errors in metadata space map');
    else if (this.phase !== 'superblock' && this.phase !== 'metadata-space-map') {
      this.report.warn('metadata contains errors');
    }
  }

  protected override line(finding: Finding): string {
    const { code, message } = finding;
    if (code === 'cache.superblock') return message.includes(': csum is ') ? 'bad checksum in superblock' : message;
    if (this.space !== undefined) {
      const counted = countLine(finding);
      this.#hasBadCounts ||= spaceOf(finding) !== undefined || counted?.isBadCount === true;
      return counted?.line ?? message;
    }
    if (this.phase === 'superblock') return message;
    const prefix = this.phase === 'dirty-bits' && !VALUES.includes(code) ? 'errors in bitset: ' : '';
    return `${prefix}${kindOf(code)}: ${message}`;
  }
}

function kindOf(code: string): string {
  if (code.startsWith('btree.')) return 'node error';
  return VALUES.includes(code) ? 'value error' : 'array block error';
}
