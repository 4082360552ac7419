/** Collects what a check finds: single findings, and leaks by the million as ranges. */

import type { Finding } from 'persistent-data';

/** The worst that was found. */
export type CheckVerdict = 'clean' | 'leaks' | 'damaged';

/** Whose blocks a count is of. */
export type CountedSpace = 'data' | 'metadata';

/** Half-open. */
interface Range {
  begin: number;
  end: number;
}

/** A finding in `--json`. */
export interface JsonFinding {
  readonly severity: Finding['severity'];
  readonly code: string;
  readonly message: string;
  readonly block?: number;
  readonly path?: readonly number[];
  readonly device?: number;
  /** Of leaks and wrong counts. */
  readonly space?: CountedSpace;
  /** What should be there: references to a block, mappings of a device. */
  readonly expected?: number;
  /** What is there: the recorded count of a block, mappings of a device that can be reached. */
  readonly found?: number;
  /** Blocks of the space; or virtual blocks of the device that cannot be reached. Half-open; text beyond 2^53. */
  readonly ranges?: readonly { readonly begin: number | string; readonly end: number | string }[];
  /** Blocks in all ranges. */
  readonly count?: number;
}

/** Which space a finding of a count is about; `undefined` for other findings. */
export function spaceOf(finding: Finding): CountedSpace | undefined {
  if (!('counted' in finding)) return undefined;
  return finding.block === undefined ? 'data' : 'metadata';
}

/** All that a check found. Leaks take no memory each, only their ranges do. */
export class CheckFindings {
  readonly #others: Finding[] = [];
  readonly #singles: Finding[] = [];
  readonly #leaks: Record<CountedSpace, { count: number; readonly ranges: Range[] }> = {
    data: { count: 0, ranges: [] },
    metadata: { count: 0, ranges: [] },
  };
  #nrFatal = 0;

  add(finding: Finding): void {
    const space = spaceOf(finding);
    if (finding.severity === 'fatal') this.#nrFatal++;
    if (finding.severity !== 'leak' || this.verdict === 'clean') this.#singles.push(finding);
    if (finding.severity !== 'leak' || space === undefined) this.#others.push(finding);
    else this.#addLeak(space, (finding as Finding & { readonly counted: number }).counted);
  }

  /** All findings but leaks, and the first leak. */
  get singles(): readonly Finding[] {
    return this.#singles;
  }

  get nrFatal(): number {
    return this.#nrFatal;
  }

  nrLeaks(space: CountedSpace): number {
    return this.#leaks[space].count;
  }

  get verdict(): CheckVerdict {
    if (this.#nrFatal > 0) return 'damaged';
    return this.nrLeaks('data') + this.nrLeaks('metadata') > 0 ? 'leaks' : 'clean';
  }

  asJson(): JsonFinding[] {
    const leaks = (['data', 'metadata'] as const).flatMap((space): JsonFinding[] => {
      const { count, ranges } = this.#leaks[space];
      if (count === 0) return [];
      const message = `${count} ${space} blocks have leaked.`;
      return [{ severity: 'leak', code: 'space-map.leak', message, space, ranges, count }];
    });
    return [...this.#others.map(otherAsJson), ...leaks];
  }

  #addLeak(space: CountedSpace, block: number): void {
    const leaks = this.#leaks[space];
    leaks.count++;
    const last = leaks.ranges.at(-1);
    if (last?.end === block) last.end++;
    else leaks.ranges.push({ begin: block, end: block + 1 });
  }
}

function otherAsJson(finding: Finding & Partial<Counted>): JsonFinding {
  const { severity, code, message, block, path, device, keys, counted, expected, recorded } = finding;
  const space = spaceOf(finding);
  const found = finding.found ?? recorded;
  const ranges =
    counted === undefined
      ? keys && [{ begin: plain(keys.begin), end: plain(keys.end) }]
      : [{ begin: counted, end: counted + 1 }];
  return {
    severity,
    code,
    message,
    ...(block === undefined || space !== undefined ? {} : { block }),
    ...(path === undefined ? {} : { path }),
    ...(device === undefined ? {} : { device }),
    ...(space === undefined ? {} : { space }),
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
    ...(ranges === undefined ? {} : { ranges }),
  };
}

/** What findings of counts and of devices have besides. */
interface Counted {
  readonly counted: number;
  readonly expected: number;
  readonly recorded: number;
  readonly found: number;
}

function plain(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}
