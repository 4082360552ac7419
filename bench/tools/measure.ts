import { spawnSync } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';

/** What one run of a program took. */
export interface Sample {
  readonly wallMs: number;
  /** Time of all its threads, in user and kernel mode. */
  readonly cpuMs: number;
  /** Peak of resident memory. */
  readonly peakMib: number;
}

/** What many runs of a program took. */
export interface Figures {
  /** Medians. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** The largest. */
  readonly peakMib: number;
  /** All wall times, in the order of the runs. */
  readonly runsMs: readonly number[];
}

/** Runs a program once, its output going nowhere. `undefined` when it failed. @param report - A file for time's report. */
export function measure(program: readonly string[], report: string): Sample | undefined {
  const nowhere = openSync('/dev/null', 'w');
  const timed = ['-o', report, '-f', '%U %S %M', ...program];
  const begin = performance.now();
  const { status } = spawnSync('/usr/bin/time', timed, { stdio: ['ignore', nowhere, nowhere] });
  const wallMs = performance.now() - begin;
  if (status !== 0) return undefined;
  const [user = 0, system = 0, kib = 0] = readFileSync(report, 'utf8').trim().split(' ').slice(-3).map(Number);
  return { wallMs, cpuMs: (user + system) * 1000, peakMib: kib / 1024 };
}

/** `undefined` without samples. */
export function summarise(samples: readonly Sample[]): Figures | undefined {
  if (samples.length === 0) return undefined;
  return {
    wallMs: median(samples.map(({ wallMs }) => wallMs)),
    cpuMs: median(samples.map(({ cpuMs }) => cpuMs)),
    peakMib: Math.round(Math.max(...samples.map(({ peakMib }) => peakMib))),
    runsMs: samples.map(({ wallMs }) => Math.round(wallMs)),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN);
}
