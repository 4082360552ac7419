/** What `thin_check` says, in the words and the order of version 1.x, with what it does not say: where the damage is. */

import type { Finding } from 'persistent-data';
import type { ThinCheckPhase, ThinRepairOutcome } from 'persistent-data/thin';
import { type CheckFindings, spaceOf } from './check-findings.ts';
import type { Report } from './report.ts';

/** Something fatal was found in the phase that has just ended, and all has been said. */
export class PhaseFailedError extends Error {
  override readonly name = 'PhaseFailedError';
}

/** What is said when a phase begins; some begin silently. */
const TITLES: Readonly<Partial<Record<ThinCheckPhase, string>>> = {
  'top-level': 'Checking thin metadata',
  details: 'device details tree',
  mappings: 'mapping tree',
  'data-space-map': 'data space map',
  'metadata-space-map': 'metadata space map',
};

/** Lines about single nodes or counts in one phase; more are only counted. `--json` has all. */
const MOST_LINES = 1000;

/** One check's text. */
export class CheckText {
  readonly #report: Report;
  readonly #findings: CheckFindings;
  #phase: ThinCheckPhase | undefined;
  /** What is to be said when the phase ends. */
  #lines: string[] = [];
  #nrLeftOut = 0;
  #hasBadCounts = false;
  #nrFatalBefore = 0;
  /** Nodes below roots that cannot be believed, and why. */
  readonly #badNodes = { all: 0, io: 0, checksum: 0 };

  constructor(report: Report, findings: CheckFindings) {
    this.#report = report;
    this.#findings = findings;
  }

  beginPhase(phase: ThinCheckPhase): void {
    this.#phase = phase;
    const title = TITLES[phase];
    if (title !== undefined) this.#report.title(title);
  }

  /** Warnings are for `--json` alone. */
  add(finding: Finding): void {
    if (finding.severity !== 'fatal') return;
    this.#countNode(finding);
    if (this.#lines.length < MOST_LINES) this.#lines.push(this.#line(finding));
    else this.#nrLeftOut++;
  }

  /** Says what the phase came to. @throws {PhaseFailedError} when that is fatal. */
  endPhase(): void {
    const { nrFatal } = this.#findings;
    const hasFailed = nrFatal > this.#nrFatalBefore;
    this.#nrFatalBefore = nrFatal;
    const { all, io, checksum } = this.#badNodes;
    if (this.#phase === 'mappings' && all > 0) {
      this.#report.warn(`${all} nodes in data mapping tree contain errors`);
      this.#report.warn(`${io} io errors, ${checksum} checksum errors`);
    }
    for (const line of this.#lines) this.#report.warn(line);
    if (this.#nrLeftOut > 0) this.#report.warn(`${this.#nrLeftOut} more (--json shows all)`);
    this.#lines = [];
    this.#nrLeftOut = 0;
    this.#sayLeaked();
    if (!hasFailed) return;
    this.#sayFailed();
    throw new PhaseFailedError('the phase failed');
  }

  repaired(outcome: ThinRepairOutcome): void {
    if (outcome.nrDataLeaks > 0) this.#report.title('Repairing data leaks.');
    if (outcome.nrMetadataLeaks > 0) this.#report.title('Repairing metadata leaks.');
    if (outcome.clearedNeedsCheck) this.#report.title('Cleared needs_check flag');
  }

  /** The last word where leaks are the worst that was found. */
  leaks(): void {
    const space = this.#findings.nrLeaks('data') > 0 ? 'data' : 'metadata';
    this.#report.warn(`${space} space map contains leaks\nperhaps you wanted to run with --auto-repair`);
  }

  #countNode({ code, message, path = [] }: Finding): void {
    if (this.#phase !== 'mappings' || path.length < 2 || !(code === 'btree.io' || code === 'btree.node')) return;
    this.#badNodes.all++;
    if (code === 'btree.io') this.#badNodes.io++;
    else if (message.includes(': csum is ')) this.#badNodes.checksum++;
  }

  #sayLeaked(): void {
    const space = this.#space;
    const nrLeaks = space === undefined ? 0 : this.#findings.nrLeaks(space);
    if (nrLeaks > 0) this.#report.warn(`${nrLeaks} ${space} blocks have leaked.`);
  }

  #sayFailed(): void {
    const space = this.#space;
    if (this.#phase === 'mappings') this.#report.warn('Check of mappings failed');
    else if (space !== undefined && this.#hasBadCounts) {
      this.#report.warn(`${space} space map: Fatal errors in ${space} space map`);
    }
  }

  get #space(): 'data' | 'metadata' | undefined {
    if (this.#phase === 'data-space-map') return 'data';
    return this.#phase === 'metadata-space-map' ? 'metadata' : undefined;
  }

  #line(finding: Finding): string {
    const { code, message, block } = finding;
    if (code === 'thin.superblock') return superblockLine(finding);
    if (code === 'thin.ids') return message;
    if (spaceOf(finding) !== undefined) {
      this.#hasBadCounts = true;
      return message;
    }
    const space = this.#space;
    if (space !== undefined && code === 'block.content') {
      if (block === undefined || !message.includes(' bitmap '))
        return `metadata space map: bad checksum in index block`;
      this.#hasBadCounts = true;
      return `Index entry points to block (${block}) that isn't a bitmap`;
    }
    const isNode = code.startsWith('btree.');
    if (space !== undefined) return `${space} space map: ${isNode ? 'node error: ' : ''}${message}`;
    if (isNode && this.#phase === 'top-level') return `mapping top-level: node error: ${message}`;
    if (isNode && this.#phase === 'details') return `device details tree: node error: ${message}`;
    return isNode || code.startsWith('thin.data') ? `  ${message}${placeOf(finding)}` : message;
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
