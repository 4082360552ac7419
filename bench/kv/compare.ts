/*
 * Runs workloads on this library's Store and on its peers, and puts the figures side by side.
 *
 * Each store of each round has a process of its own (child.mjs, plain node on the built packages); rounds are interleaved, and begin with another
 * store each time, so that what else the machine does hits all alike. Figures are medians over the rounds.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installPeers } from './install-peers.ts';
import { type Options, parseOptions } from './options.ts';
import { showTime } from './show-time.ts';

/** A workload, and what is wanted of it. */
export interface Workload {
  readonly id: string;
  readonly title: string;
  /** The least ratio of the fastest peer's time and ours. */
  readonly goal?: number;
  /** Of one peer in particular. */
  readonly goals?: Readonly<Record<string, number>>;
  /** The most nanoseconds, or bytes. */
  readonly most?: number;
  /** At least so many times as fast as another workload of ours. */
  readonly faster?: { readonly than: string; readonly times: number };
  /** It counts bytes, not time. */
  readonly isSize?: boolean;
}

export interface Suite {
  readonly name: string;
  readonly workloads: readonly Workload[];
  readonly defaultN: number;
  readonly quickN?: number;
  /** Replaces the peers of the command line. */
  readonly peers?: readonly string[];
  readonly cacheBytes?: number;
}

/** What a child prints of a workload. */
interface Figure {
  readonly driver: string;
  readonly workload: string;
  readonly ns?: number;
  readonly bytes?: number;
  readonly cpu_ns?: number;
  readonly p99?: number;
  readonly rss_mb: number;
}

/** The medians of one store in one workload, and their spread. */
interface Summary {
  readonly name: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly cpu: number;
  readonly rss: number;
}

const CHILD = join(import.meta.dirname, 'child.mjs');
const DIST = join(import.meta.dirname, '../../packages/persistent-data/dist/store/index.js');
const QUICK_N = 20_000;
const LARGE_CACHE_FROM = 4_000_000;

/** Runs a suite as the command line says, and prints it. */
export function compareStores(suite: Suite, argv: readonly string[]): void {
  const options = parseOptions(argv);
  if (!existsSync(DIST)) {
    console.error('bench: the packages are not built: npm run build');
    process.exit(1);
  }
  const peers = suite.peers ?? (options.peers.length > 0 && installPeers() ? options.peers : []);
  const n = options.quick ? (suite.quickN ?? QUICK_N) : (options.n ?? suite.defaultN);
  const figures = runAll(suite, ['ours', ...peers], n, options);
  if (!options.json) printHead(suite, n, options, peers);
  for (const workload of suite.workloads) {
    if (options.only !== undefined && !options.only.includes(workload.id)) continue;
    const summaries = ['ours', ...peers].flatMap((name) => summary(figures, name, workload));
    const [ours, ...others] = summaries;
    if (ours?.name !== 'ours') continue;
    const line = options.json
      ? jsonLine(workload, n, [ours, ...others], figures, options)
      : textLine(workload, ours, others, figures);
    console.log(line);
  }
}

function runAll(suite: Suite, names: readonly string[], n: number, options: Options): Figure[] {
  const figures: Figure[] = [];
  const cacheBytes = options.cacheBytes ?? suite.cacheBytes ?? (n >= LARGE_CACHE_FROM ? 2 ** 30 : 2 ** 28);
  const argument = JSON.stringify({ n, dir: options.dir, cacheBytes, only: options.only });
  for (let round = 0; round < options.rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      if (process.stderr.isTTY)
        process.stderr.write(`\r\u001b[K${suite.name} round ${round + 1} of ${options.rounds}: ${name}`);
      const { status, signal, stdout } = spawnSync(
        process.execPath,
        ['--expose-gc', CHILD, suite.name, name, argument],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
          maxBuffer: 2 ** 26,
        },
      );
      if (status !== 0) {
        console.error(`bench: ${suite.name} of ${name} failed (${signal ?? status})`);
        process.exit(status || 1);
      }
      for (const line of stdout.split('\n')) if (line.startsWith('{')) figures.push(JSON.parse(line) as Figure);
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  return figures;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function summary(figures: readonly Figure[], name: string, workload: Workload): Summary[] {
  const own = figures.filter((figure) => figure.driver === name && figure.workload === workload.id);
  if (own.length === 0) return [];
  const values = own.map((figure) => (workload.isSize ? figure.bytes! : figure.ns!));
  return [
    {
      name,
      value: median(values),
      least: Math.min(...values),
      most: Math.max(...values),
      cpu: median(own.map(({ cpu_ns }) => cpu_ns ?? 0)),
      rss: median(own.map(({ rss_mb }) => rss_mb)),
    },
  ];
}

function fastest(others: readonly Summary[]): Summary | undefined {
  return [...others].sort((a, b) => a.value - b.value)[0];
}

function jsonLine(
  workload: Workload,
  n: number,
  [ours, ...others]: readonly [Summary, ...Summary[]],
  figures: readonly Figure[],
  options: Options,
): string {
  const best = fastest(others);
  const unit = workload.isSize ? 'bytes' : 'ns';
  const round = (value: number): number => Number(value.toPrecision(5));
  return JSON.stringify({
    workload: workload.id,
    n,
    [`ours_${unit}`]: round(ours.value),
    peer: best?.name ?? null,
    [`peer_${unit}`]: best === undefined ? null : round(best.value),
    ratio: best === undefined ? null : round(best.value / ours.value),
    ours_rss_mb: ours.rss,
    peer_rss_mb: best?.rss ?? null,
    title: workload.title,
    rounds: options.rounds,
    wanted: wantedOf(workload),
    verdict: verdict(workload, ours, others, figures),
    spread: [round(ours.least), round(ours.most)],
    cpu_ns: round(ours.cpu),
    peers: Object.fromEntries(
      others.map(({ name, value, least, most, cpu, rss }) => [
        name,
        { [unit]: round(value), spread: [round(least), round(most)], cpu_ns: round(cpu), rss_mb: rss },
      ]),
    ),
  });
}

function printHead(suite: Suite, n: number, options: Options, peers: readonly string[]): void {
  const others = peers.length === 0 ? 'alone' : `beside ${peers.join(', ')}`;
  console.log(
    `${suite.name}: ${n} entries, ${options.rounds} rounds, ${others}; medians (least to most); ratio is of the fastest peer`,
  );
}

function textLine(workload: Workload, ours: Summary, others: readonly Summary[], figures: readonly Figure[]): string {
  const show = workload.isSize ? (bytes: number) => `${bytes.toFixed(1)} B` : showTime;
  const spread = `(${show(ours.least)} to ${show(ours.most)})`;
  const peers = others.map(({ name, value }) => `${name} ${show(value)}`).join('  ');
  const best = fastest(others);
  const ratio = best === undefined ? '' : `${(best.value / ours.value).toFixed(1)}x`;
  const row = `${workload.title.padEnd(46)} ${show(ours.value).padStart(9)} ${spread.padEnd(24)} ${ratio.padStart(6)}`;
  return `${row} ${verdict(workload, ours, others, figures).padEnd(16)} ${peers}`.trimEnd();
}

/** The goal as a text. */
function wantedOf({ goal, goals = {}, most, faster, isSize }: Workload): string {
  const wanted = goal === undefined ? [] : [`≥ ${goal}`];
  for (const [name, ratio] of Object.entries(goals)) wanted.push(`≥ ${ratio} of ${name}`);
  if (most !== undefined) wanted.push(`≤ ${isSize ? `${most} B` : showTime(most)}`);
  if (faster !== undefined) wanted.push(`≥ ${faster.times} × ${faster.than}`);
  return wanted.join(', ');
}

/** `ok`, or what was wanted. */
function verdict(workload: Workload, ours: Summary, others: readonly Summary[], figures: readonly Figure[]): string {
  const missed: string[] = [];
  let known = false;
  const want = (met: boolean, text: string): void => {
    known = true;
    if (!met) missed.push(text);
  };
  const best = fastest(others);
  if (workload.goal !== undefined && best) want(best.value / ours.value >= workload.goal, `${workload.goal}x`);
  for (const [name, goal] of Object.entries(workload.goals ?? {})) {
    const peer = others.find((other) => other.name === name);
    if (peer) want(peer.value / ours.value >= goal, `${goal}x of ${name}`);
  }
  if (workload.most !== undefined)
    want(ours.value <= workload.most, `at most ${workload.isSize ? workload.most : showTime(workload.most)}`);
  if (workload.faster) {
    const { than, times } = workload.faster;
    const other = summary(figures, 'ours', { id: than, title: than })[0];
    if (other)
      want(other.value / ours.value >= times, `${times}x of ${than}, is ${(other.value / ours.value).toFixed(1)}x`);
  }
  if (!known) return '';
  return missed.length === 0 ? 'ok' : `WANTED ${missed.join(', ')}`;
}
