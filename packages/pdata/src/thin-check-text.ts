/** What `thin_check` says, in the words and the order of version 1.x, with what it does not say: where the damage is. */

import type { Finding } from 'persistent-data';
import type { ThinCheckPhase } from 'persistent-data/thin';
import { type CheckFindings, type CountedSpace, spaceOf } from './check-findings.ts';
import { CheckText, countLine } from './check-text.ts';
import type { Report } from './report.ts';

const TITLES: Readonly<Partial<Record<ThinCheckPhase, string>>> = {
  'top-level': 'Checking thin metadata',
  details: 'device details tree',
  mappings: 'mapping tree',
  'data-space-map': 'data space map',
  'metadata-space-map': 'metadata space map',
};

/** One check's text. */
export class ThinCheckText extends CheckText<ThinCheckPhase> {
  #hasBadCounts = false;
  /** Nodes below roots that cannot be believed, and why. */
  readonly #badNodes = { all: 0, io: 0, checksum: 0 };

  constructor(report: Report, findings: CheckFindings) {
    super(report, findings, TITLES);
  }

  override add(finding: Finding): void {
    if (finding.severity === 'fatal') this.#countNode(finding);
    super.add(finding);
  }

  protected override get space(): CountedSpace | undefined {
    if (this.phase === 'data-space-map') return 'data';
    return this.phase === 'metadata-space-map' ? 'metadata' : undefined;
  }

  protected override sayBefore(): void {
    const { all, io, checksum } = this.#badNodes;
    if (this.phase !== 'mappings' || all === 0) return;
    this.report.warn(`${all} nodes in data mapping tree contain errors`);
    this.report.warn(`${io} io errors, ${checksum} checksum errors`);
  }

  protected override sayFailed(): void {
    const { space } = this;
    if (this.phase === 'mappings') this.report.warn('Check of mappings failed');
    else if (space !== undefined && this.#hasBadCounts) {
      this.report.warn(`${space} space map: Fatal errors in ${space} space map`);
    }
  }

  protected override line(finding: Finding): string {
    const { code, message } = finding;
    if (code === 'thin.superblock') return superblockLine(finding);
    if (code === 'thin.ids') return message;
    if (spaceOf(finding) !== undefined) {
      this.#hasBadCounts = true;
      return message;
    }
    const { space, phase } = this;
    const counted = space === undefined ? undefined : countLine(finding);
    if (counted !== undefined) {
      this.#hasBadCounts ||= counted.isBadCount;
      return counted.line;
    }
    const isNode = code.startsWith('btree.');
    if (space !== undefined) return `${space} space map: ${isNode ? 'node error: ' : ''}${message}`;
    if (isNode && phase === 'top-level') return `mapping top-level: node error: ${message}`;
    if (isNode && phase === 'details') return `device details tree: node error: ${message}`;
    return isNode || code.startsWith('thin.data') ? `  ${message}${placeOf(finding)}` : message;
  }

  #countNode({ code, message, path = [] }: Finding): void {
    if (this.phase !== 'mappings' || path.length < 2 || !(code === 'btree.io' || code === 'btree.node')) return;
    this.#badNodes.all++;
    if (code === 'btree.io') this.#badNodes.io++;
    else if (message.includes(': csum is ')) this.#badNodes.checksum++;
  }
}

function superblockLine({ message, block }: Finding): string {
  const text = message.includes('csum') ? 'bad checksum in superblock' : message;
  return block === 0 ? text : `metadata snap: ${text}`;
}

/** Which virtual blocks of which device a bad node takes away. */
function placeOf({ device, keys }: Finding): string {
  if (device === undefined || keys === undefined) return '';
  const end = keys.end >= 1n << 64n ? 'the end' : `below ${keys.end}`;
  return ` (thin device ${device}, virtual blocks ${keys.begin} to ${end})`;
}
