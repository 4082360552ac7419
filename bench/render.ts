/*
 * Puts measured figures into docs/performance.md: `npm run bench -- render`.
 *
 * The figures are the files docs/performance/NAME.jsonl, as `npm run bench -- … --json` prints them. In the page everything between
 * `<!-- figures NAME -->` and `<!-- end -->` is replaced by the table of NAME; docs/performance/growth.svg is drawn anew.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { growthChart } from './kv/growth-chart.ts';
import { showTime } from './kv/show-time.ts';

interface PeerFigure {
  readonly ns?: number;
  readonly bytes?: number;
  readonly rss_mb: number;
}

/** A line of `--json`. */
interface Line {
  readonly workload: string;
  readonly title: string;
  readonly n: number;
  readonly rounds: number;
  readonly wanted: string;
  /** `ok`, what was missed, or nothing where nothing is wanted. */
  readonly verdict: string;
  readonly ours_ns?: number;
  readonly ours_bytes?: number;
  readonly spread: readonly [number, number];
  readonly ours_rss_mb: number;
  readonly ratio: number | null;
  readonly peer: string | null;
  readonly peers: Readonly<Record<string, PeerFigure>>;
}

const FOLDER = join(import.meta.dirname, '../docs/performance');
const PAGE = join(import.meta.dirname, '../docs/performance.md');

function load(name: string): Line[] {
  const path = join(FOLDER, `${name}.jsonl`);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function show({ ns, bytes }: { readonly ns?: number | undefined; readonly bytes?: number | undefined }): string {
  return bytes !== undefined ? `${bytes.toFixed(1)} B` : showTime(ns!);
}

/** One row for each workload: ours with its spread, each peer, and the ratio to the fastest. */
function table(lines: readonly Line[]): string {
  const peers = [...new Set(lines.flatMap((line) => Object.keys(line.peers)))];
  const withRatio = peers.length > 0;
  const head = ['workload', 'ours', 'least to most', ...peers, ...(withRatio ? ['ratio'] : []), 'goal'];
  const rows = lines.map((line) => {
    const isSize = line.ours_bytes !== undefined;
    const spread = line.spread.map((value) => show(isSize ? { bytes: value } : { ns: value })).join(' to ');
    const others = peers.map((name) => (line.peers[name] === undefined ? '–' : show(line.peers[name])));
    const goal = line.verdict === '' || line.verdict === 'ok' ? line.wanted : `**missed**: ${line.wanted}`;
    const ours = show({ ns: line.ours_ns, bytes: line.ours_bytes });
    return row([
      line.title,
      `**${ours}**`,
      spread,
      ...others,
      ...(withRatio ? [line.ratio?.toFixed(1) ?? '–'] : []),
      goal,
    ]);
  });
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows].join('\n');
}

/** Peak memory of the whole processes, in MiB: the last workload has seen the most. */
function memoryTable(names: readonly string[]): string {
  const all = names.map((name) => ({ name, lines: load(name) })).filter(({ lines }) => lines.length > 0);
  const peers = [...new Set(all.flatMap(({ lines }) => lines.flatMap((line) => Object.keys(line.peers))))];
  const rows = all.map(({ name, lines }) => {
    const most = (values: (number | undefined)[]): string => {
      const known = values.filter((value) => value !== undefined);
      return known.length === 0 ? '–' : `${Math.max(...known)} MiB`;
    };
    const ours = most(lines.map((line) => line.ours_rss_mb));
    return row([name, `**${ours}**`, ...peers.map((peer) => most(lines.map((line) => line.peers[peer]?.rss_mb)))]);
  });
  const head = ['peak memory', 'ours', ...peers];
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows].join('\n');
}

function growthTable(lines: readonly Line[]): string {
  const sizes = [...new Set(lines.map(({ n }) => n))];
  const titles = [...new Set(lines.map(({ title }) => title))];
  const rows = titles.map((title) =>
    row([
      title,
      ...sizes.map((n) => show({ ns: lines.find((line) => line.n === n && line.title === title)?.ours_ns })),
    ]),
  );
  const head = ['workload', ...sizes.map((n) => `${n / 1e6} million`)];
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows].join('\n');
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `Node ${process.versions.node} on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${memory} GiB, Linux ${release()}.`;
}

function figures(name: string): string {
  if (name === 'machine') return machine();
  if (name === 'memory') return memoryTable(['kv-1m', 'kv-10m', 'commit-1m']);
  const lines = load(name);
  if (lines.length === 0) return 'Not measured yet.';
  const { rounds } = lines[0]!;
  const note = `Medians of ${rounds === 1 ? 'one round' : `${rounds} rounds`}.`;
  return `${name === 'growth' ? growthTable(lines) : table(lines)}\n\n${note}`;
}

const growth = load('growth');
const series = [...new Set(growth.map(({ title }) => title))].map((title) => ({
  title,
  points: growth.filter((line) => line.title === title).map(({ n, ours_ns }) => ({ n, ns: ours_ns! })),
}));
if (series.length > 0) writeFileSync(join(FOLDER, 'growth.svg'), growthChart(series));
const page = readFileSync(PAGE, 'utf8').replace(
  /(<!-- figures ([a-z0-9-]+) -->\n)[\s\S]*?(<!-- end -->)/g,
  (_, begin: string, name: string, end: string) => `${begin}\n${figures(name)}\n\n${end}`,
);
writeFileSync(PAGE, page);
