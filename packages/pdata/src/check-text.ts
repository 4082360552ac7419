/** What a check says while it runs: a title for each phase, and when a phase ends, what was found in it. Each family has its own words. */

import type { Finding } from 'persistent-data';
import type { CheckFindings, CountedSpace } from './check-findings.ts';
import type { Report } from './report.ts';

/** Something fatal was found in the phase that has just ended, and all has been said. */
export class PhaseFailedError extends Error {
  override readonly name = 'PhaseFailedError';
}

/** What a repair in place did. */
export interface InPlaceRepair {
  /** Blocks given back; only thin pools have a data space map. */
  readonly nrDataLeaks?: number;
  readonly nrMetadataLeaks: number;
  readonly clearedNeedsCheck: boolean;
}

/** Lines about single nodes or counts in one phase; more are only counted. `--json` has all. */
const MOST_LINES = 1000;

/** One check's text. */
export abstract class CheckText<Phase extends string> {
  protected readonly report: Report;
  protected readonly findings: CheckFindings;
  protected phase: Phase | undefined;
  /** What is said when a phase begins; some begin silently. */
  readonly #titles: Readonly<Partial<Record<Phase, string>>>;
  /** What is to be said when the phase ends. */
  #lines: string[] = [];
  #nrLeftOut = 0;
  #nrFatalBefore = 0;

  constructor(report: Report, findings: CheckFindings, titles: Readonly<Partial<Record<Phase, string>>>) {
    this.report = report;
    this.findings = findings;
    this.#titles = titles;
  }

  /** The space whose map the phase compares. */
  protected abstract get space(): CountedSpace | undefined;

  /** The line for a fatal finding of the phase. */
  protected abstract line(finding: Finding): string;

  /** Says what comes before the lines of a phase. */
  protected sayBefore(): void {}

  /** Says what comes after the lines of a phase that failed. */
  protected abstract sayFailed(): void;

  beginPhase(phase: Phase): void {
    this.phase = phase;
    const title = this.#titles[phase];
    if (title !== undefined) this.report.title(title);
  }

  /** Warnings are for `--json` alone. */
  add(finding: Finding): void {
    if (finding.severity !== 'fatal') return;
    const line = this.line(finding);
    if (this.#lines.length < MOST_LINES) this.#lines.push(line);
    else this.#nrLeftOut++;
  }

  /** Says what the phase came to. @throws {PhaseFailedError} when that is fatal. */
  endPhase(): void {
    const { nrFatal } = this.findings;
    const hasFailed = nrFatal > this.#nrFatalBefore;
    this.#nrFatalBefore = nrFatal;
    this.sayBefore();
    for (const line of this.#lines) this.report.warn(line);
    if (this.#nrLeftOut > 0) this.report.warn(`${this.#nrLeftOut} more (--json shows all)`);
    this.#lines = [];
    this.#nrLeftOut = 0;
    this.#sayLeaked();
    if (!hasFailed) return;
    this.sayFailed();
    throw new PhaseFailedError('the phase failed');
  }

  repaired({ nrDataLeaks = 0, nrMetadataLeaks, clearedNeedsCheck }: InPlaceRepair): void {
    if (nrDataLeaks > 0) this.report.title('Repairing data leaks.');
    if (nrMetadataLeaks > 0) this.report.title('Repairing metadata leaks.');
    if (clearedNeedsCheck) this.report.title('Cleared needs_check flag');
  }

  /** The last word where leaks are the worst that was found. */
  leaks(): void {
    const space = this.findings.nrLeaks('data') > 0 ? 'data' : 'metadata';
    this.report.warn(`${space} space map contains leaks\nperhaps you wanted to run with --auto-repair`);
  }

  #sayLeaked(): void {
    const { space } = this;
    const nrLeaks = space === undefined ? 0 : this.findings.nrLeaks(space);
    if (nrLeaks > 0) this.report.warn(`${nrLeaks} ${space} blocks have leaked.`);
  }
}

/** What is said of a fatal finding about the map of a space, if there is nothing special to say about it. */
export function countLine({
  code,
  message,
  block,
}: Finding): { readonly line: string; readonly isBadCount: boolean } | undefined {
  if (code !== 'block.content') return undefined;
  if (block === undefined || !message.includes(' bitmap ')) {
    return { line: 'metadata space map: bad checksum in index block', isBadCount: false };
  }
  return { line: `Index entry points to block (${block}) that isn't a bitmap`, isBadCount: true };
}
