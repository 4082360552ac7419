import type { Machine } from '../machine.ts';
import type { Figures } from './measure.ts';

/** A line of `npm run bench -- tools --json`. Times are in milliseconds, memory in MiB. */
export interface RowResult {
  readonly version: 1;
  readonly family: string;
  readonly row: string;
  readonly about: string;
  readonly call: string;
  readonly n: number;
  readonly ours: Figures | undefined;
  /** By version: `0.9.0`, `1.1.0`; and `node`, a program that does nothing. Those that are not installed, or fail, are missing. */
  readonly peers: Readonly<Record<string, Figures | undefined>>;
  /** Medians: ours to those of 1.1.0. */
  readonly ratio?: number;
  readonly goal?: number;
  /** Of the wall time. */
  readonly goalMs?: number;
  readonly memoryGoalMib?: number;
  /** More than `node`, and at most so much. */
  readonly aboveNodeMs?: number;
  readonly aboveNodeGoalMs?: number;
  readonly isReached?: boolean;
  readonly host: Machine;
}

/** A table for people, in Markdown. */
export const TABLE_HEAD =
  '| work | 0.9.0 | 1.1.0 | ours | ours / 1.1.0 | goal | |\n| --- | --- | --- | --- | --- | --- | --- |';

/** One line of {@link TABLE_HEAD}'s table. */
export function tableLine({ family, row, ours, peers, ratio, goal, memoryGoalMib, ...rest }: RowResult): string {
  const goals = [
    goal === undefined ? '' : `≤ ${goal}`,
    rest.goalMs === undefined ? '' : `≤ ${rest.goalMs} ms`,
    memoryGoalMib === undefined ? '' : `≤ ${memoryGoalMib} MiB`,
    rest.aboveNodeGoalMs === undefined ? '' : `node + ${rest.aboveNodeGoalMs} ms`,
  ];
  const cells = [
    `${family} ${row}`,
    cell(peers['0.9.0']),
    cell(peers['1.1.0']),
    cell(ours),
    rest.aboveNodeMs === undefined ? (ratio?.toFixed(2) ?? '–') : `node + ${rest.aboveNodeMs} ms`,
    goals.filter((text) => text !== '').join(', '),
    rest.isReached === undefined ? '' : rest.isReached ? 'reached' : 'missed',
  ];
  return `| ${cells.join(' | ')} |`;
}

function cell(figures: Figures | undefined): string {
  return figures === undefined ? '–' : `${figures.wallMs} ms (CPU ${figures.cpuMs}), ${figures.peakMib} MiB`;
}
