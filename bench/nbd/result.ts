import { type Machine, machineNow } from '../machine.ts';

/** What all runs of one server gave. */
export interface Figure {
  readonly median: number;
  /** In the order of the runs. */
  readonly runs: readonly number[];
  /** Time of all the server's threads for a request, in microseconds: median. Missing where requests were not counted. */
  readonly cpuUs?: number;
}

/** What a row has measured. Exactly one goal is there. */
export interface Outcome {
  readonly unit: 'IOPS' | 'MiB/s' | 'ms' | 'MiB';
  readonly ours: Figure;
  readonly peer?: Figure;
  /** What ours stands beside. */
  readonly peerName?: string;
  /** At least so many times the peer's. */
  readonly goal?: number;
  /** At most so many milliseconds more than the peer. */
  readonly goalAboveMs?: number;
  readonly goalMib?: number;
  /** Further facts about this measurement. */
  readonly note?: string;
}

/** A line of `npm run bench -- nbd --json`. */
export interface RowResult extends Outcome {
  readonly version: 1;
  readonly row: string;
  readonly about: string;
  /** Of medians: ours to the peer's. */
  readonly ratio?: number;
  /** Of medians: ours without the peer's, in milliseconds. */
  readonly aboveMs?: number;
  readonly isReached: boolean;
  readonly host: Machine;
}

/** A line for a row. */
export function resultOf(row: string, about: string, outcome: Outcome): RowResult {
  const { ours, peer, goal, goalAboveMs, goalMib } = outcome;
  const ratio = goal === undefined || peer === undefined ? undefined : ours.median / peer.median;
  const aboveMs = goalAboveMs === undefined || peer === undefined ? undefined : ours.median - peer.median;
  const reached = [
    goal === undefined || (ratio !== undefined && ratio >= goal),
    goalAboveMs === undefined || (aboveMs !== undefined && aboveMs <= goalAboveMs),
    goalMib === undefined || ours.median <= goalMib,
  ];
  return {
    version: 1,
    row,
    about,
    ...outcome,
    ...(ratio === undefined ? {} : { ratio: Math.round(ratio * 100) / 100 }),
    ...(aboveMs === undefined ? {} : { aboveMs: Math.round(aboveMs * 100) / 100 }),
    isReached: reached.every(Boolean),
    host: machineNow(),
  };
}

/** The upper of two in the middle. `NaN` of nothing. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** A table for people, in Markdown. */
export const TABLE_HEAD =
  '| work | ours | beside | | ours / peer | goal | |\n| --- | --: | --- | --: | --: | --- | --- |';

/** One line of {@link TABLE_HEAD}'s table. */
export function tableLine({
  about,
  ours,
  peer,
  peerName,
  unit,
  ratio,
  aboveMs,
  isReached,
  ...goals
}: RowResult): string {
  const { goal, goalAboveMs, goalMib } = goals;
  const cells = [
    about,
    cell(ours, unit),
    peerName ?? '–',
    peer === undefined ? '–' : cell(peer, unit),
    ratio?.toFixed(2) ?? (aboveMs === undefined ? '–' : `${aboveMs.toFixed(2)} ms more`),
    goal !== undefined
      ? `≥ ${goal}`
      : goalAboveMs !== undefined
        ? `≤ ${goalAboveMs} ms more`
        : goalMib !== undefined
          ? `≤ ${goalMib} MiB`
          : '',
    isReached ? 'reached' : '**missed**',
  ];
  return `| ${cells.join(' | ')} |`;
}

function cell({ median, cpuUs }: Figure, unit: string): string {
  const value = unit === 'ms' ? median.toFixed(2) : `${Math.round(median)}`;
  return `${value} ${unit}${cpuUs === undefined ? '' : ` (${cpuUs.toFixed(1)} µs)`}`;
}
