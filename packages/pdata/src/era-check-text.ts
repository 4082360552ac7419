/** What `era_check` says, in the words of version 1.x, with what it does not say: where the damage is, and wrong reference counts. */

import type { Finding } from 'persistent-data';
import type { EraCheckPhase } from 'persistent-data/era';
import { type CheckFindings, type CountedSpace, spaceOf } from './check-findings.ts';
import { CheckText, countLine } from './check-text.ts';
import type { Report } from './report.ts';

/** One check's text. */
export class EraCheckText extends CheckText<EraCheckPhase> {
  constructor(report: Report, findings: CheckFindings) {
    super(report, findings, { superblock: 'Checking era metadata' });
  }

  protected override get space(): CountedSpace | undefined {
    return this.phase === 'metadata-space-map' ? 'metadata' : undefined;
  }

  protected override sayFailed(): void {
    if (this.phase !== 'superblock') this.report.warn('fatal errors in metadata');
  }

  protected override line(finding: Finding): string {
    const { code, message, block } = finding;
    if (code === 'era.superblock') {
      const text = message.endsWith(' is wanted') ? 'bad checksum in superblock' : message;
      return block === 0 ? text : `metadata snap: ${text}`;
    }
    // The number is in the JSON.
    if (code === 'era.version') return 'unknown superblock version';
    if (spaceOf(finding) !== undefined) return message;
    if (this.space !== undefined) return countLine(finding)?.line ?? `metadata space map: ${message}`;
    if (code.startsWith('btree.')) return `node error: ${message}`;
    if (code.startsWith('array.')) return `array block error: ${message}`;
    return code === 'era.value' ? `value error: ${message}` : message;
  }
}
