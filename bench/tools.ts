/*
 * Speed and memory of the commands beside their peers: Debian 12's 0.9.0 (C++), if it is installed, and Debian 13's 1.1.0 (Rust), which
 * bench/tools/get-rust-tools.sh unpacks.
 *
 *   npm run bench -- tools [--family thin|cache|era] [--only ROW] [--runs 5] [--n N] [--json]
 *
 * N is 10 million, for caches and era devices a million blocks. `--family` and `--only` can be given several times, or with commas. Runs are interleaved: each round runs all programs once. Prints medians of wall and
 * CPU time, and the largest peak of memory; ratios are of medians of wall time. With `--json`, a line for each row (bench/tools/result.ts). Inputs are made
 * once, in .cache/bench. Build before.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineNow } from './machine.ts';
import { CACHE } from './tools/cache.ts';
import { ERA } from './tools/era.ts';
import type { ToolFamily, ToolRow } from './tools/family.ts';
import { Inputs } from './tools/inputs.ts';
import { type Figures, measure, type Sample, summarise } from './tools/measure.ts';
import { type RowResult, TABLE_HEAD, tableLine } from './tools/result.ts';
import { THIN } from './tools/thin.ts';

const FAMILIES: readonly ToolFamily[] = [THIN, CACHE, ERA];

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, '.cache/bench');
const RUST = process.env.RUST_TOOLS ?? join(ROOT, '.cache/rust-tools/bin');
const CPP = '/usr/sbin';
const OURS = [process.execPath, join(ROOT, 'packages/pdata/bin/pdata.js')];
const NODE = [process.execPath, '-e', '0'];

const USAGE = `Usage: npm run bench -- tools [--family thin|cache|era] [--only ROW] [--runs 5] [--n N] [--json]

${FAMILIES.map(({ name, rows }) => `rows of ${name}: ${rows.map((row) => row.name).join(' ')}`).join('\n')}`;

const { values: options } = parseArgs({
  options: {
    family: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    runs: { type: 'string', default: '5' },
    n: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(USAGE);
  process.exit();
}
const runs = Number(options.runs);
const DEFAULT_N = 10_000_000;
const sizeOf = ({ defaultN = DEFAULT_N }: ToolFamily): number => Number(options.n ?? defaultN);
const names = (given: readonly string[] | undefined): string[] => (given ?? []).flatMap((text) => text.split(','));
const families = names(options.family);
const only = names(options.only);

/** The programs of a row by what the result calls them, and whole command lines. Those that are not there are left out. */
function programs(row: ToolRow, argv: readonly string[]): Map<string, string[]> {
  const [tool = ''] = row.call.split(' ');
  const all: [string, string[]][] = [
    ['0.9.0', row.slowForCpp ? [] : [join(CPP, tool), ...argv]],
    ['1.1.0', [join(RUST, tool), ...argv]],
    ['node', row.aboveNodeMs === undefined ? [] : NODE],
    ['ours', [...OURS, tool, ...argv]],
  ];
  return new Map(all.filter(([, [program = '']]) => existsSync(program)));
}

function measureRow(family: ToolFamily, row: ToolRow): RowResult {
  const n = sizeOf(family);
  const inputs = new Inputs(FOLDER, family, n, OURS);
  const argv = row.call
    .split(' ')
    .slice(1)
    .map((word) => inputs.resolve(word));
  const samples = new Map<string, Sample[]>();
  const host = machineNow();
  for (let round = 0; round < runs; round++) {
    for (const [name, program] of programs(row, argv)) {
      inputs.clean();
      const sample = measure(program, join(FOLDER, 'time'));
      if (sample !== undefined) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  inputs.clean();
  const { ours, ...peers } = Object.fromEntries([...samples].map(([name, each]) => [name, summarise(each)]));
  const { name, about, call } = row;
  return {
    version: 1,
    family: family.name,
    row: name,
    about,
    call,
    n,
    ours,
    peers,
    ...compare(row, ours, peers),
    host,
  };
}

/** How ours stands to what is wanted. */
function compare(
  { goal, goalMs, memoryGoalMib, aboveNodeMs: aboveNodeGoalMs }: ToolRow,
  ours: Figures | undefined,
  peers: RowResult['peers'],
): Partial<RowResult> {
  const rust = peers['1.1.0'];
  const ratio = ours && rust && ours.wallMs / rust.wallMs;
  const aboveNodeMs = ours && peers.node && ours.wallMs - peers.node.wallMs;
  const reached: boolean[] = [];
  if (goal !== undefined) reached.push(ratio !== undefined && ratio <= goal);
  if (goalMs !== undefined) reached.push(ours !== undefined && ours.wallMs <= goalMs);
  if (memoryGoalMib !== undefined) reached.push(ours !== undefined && ours.peakMib <= memoryGoalMib);
  if (aboveNodeGoalMs !== undefined) reached.push(aboveNodeMs !== undefined && aboveNodeMs <= aboveNodeGoalMs);
  return {
    ...(ratio === undefined ? {} : { ratio: Math.round(ratio * 100) / 100 }),
    ...(goal === undefined ? {} : { goal }),
    ...(goalMs === undefined ? {} : { goalMs }),
    ...(memoryGoalMib === undefined ? {} : { memoryGoalMib }),
    ...(aboveNodeMs === undefined ? {} : { aboveNodeMs }),
    ...(aboveNodeGoalMs === undefined ? {} : { aboveNodeGoalMs }),
    ...(reached.length === 0 ? {} : { isReached: reached.every(Boolean) }),
  };
}

if (!options.json) console.log(`${runs} runs, medians of wall time; peaks of memory\n${TABLE_HEAD}`);
for (const family of FAMILIES) {
  if (families.length > 0 && !families.includes(family.name)) continue;
  for (const row of family.rows) {
    if (only.length > 0 && !only.includes(row.name)) continue;
    const result = measureRow(family, row);
    console.log(options.json ? JSON.stringify(result) : tableLine(result));
  }
}
