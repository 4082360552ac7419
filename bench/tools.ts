/*
 * Speed and memory of the commands beside their peers: Debian 12's 0.9.0 (C++), if it is installed, and Debian 13's 1.1.0 (Rust), which
 * bench/tools/get-rust-tools.sh unpacks.
 *
 *   npm run bench -- tools [--mappings N] [--rounds N] [ROW...]
 *
 * Rounds are interleaved: each runs all programs once. Prints medians of wall time, and the largest peak of memory; ratios are of medians. Inputs are
 * made once, in .cache/bench. Build before.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, '.cache/bench');
const RUST = process.env.RUST_TOOLS ?? join(ROOT, '.cache/rust-tools/bin');
const CPP = '/usr/sbin';
const OURS = [process.execPath, join(ROOT, 'packages/pdata/bin/pdata.js')];

interface Row {
  readonly name: string;
  /** The command and its arguments; `@frag`, `@snaps`, `@broken` are metadata, `@frag.xml` text, `@out` an output. */
  readonly call: string;
  /** What is wanted: at most this many times what the Rust tools take. */
  readonly goal?: number;
  /** Takes the C++ tools minutes: they are left out. */
  readonly slowForCpp?: boolean;
}

const ROWS: readonly Row[] = [
  { name: 'dump', call: 'thin_dump @frag', goal: 0.5 },
  { name: 'restore', call: 'thin_restore -i @frag.xml -o @out', goal: 0.4 },
  { name: 'check', call: 'thin_check @frag', goal: 1 },
  { name: 'check-snaps', call: 'thin_check @snaps', goal: 1, slowForCpp: true },
  { name: 'delta', call: 'thin_delta --snap1 1 --snap2 2 @frag', goal: 0.7 },
  { name: 'rmap', call: 'thin_rmap --region 0..1000 @frag', goal: 1 },
  { name: 'ls', call: 'thin_ls -o DEV,EXCLUSIVE_BLOCKS @frag', goal: 1 },
  { name: 'repair', call: 'thin_repair -i @frag -o @out', goal: 0.6 },
  { name: 'pack', call: 'thin_metadata_pack -i @frag -o @packed' },
  // Wanted: at most 50 ms more than the next.
  { name: 'start', call: 'thin_ls -o DEV @tiny' },
  { name: 'node', call: 'node' },
];

function parse(argv: readonly string[]): { mappings: number; rounds: number; rows: Row[] } {
  const number = (name: string, otherwise: number): number => {
    const at = argv.indexOf(name);
    return at < 0 ? otherwise : Number(argv[at + 1]);
  };
  const wanted = argv.filter((word) => /^[a-z]/.test(word));
  const rows = ROWS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  return { mappings: number('--mappings', 10_000_000), rounds: number('--rounds', 5), rows };
}

function run(program: readonly string[], argv: readonly string[]): void {
  const { status, stderr } = spawnSync(program[0]!, [...program.slice(1), ...argv], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program.join(' ')} ${argv.join(' ')}: ${stderr}`);
}

/** Makes the inputs that are not there yet, and answers what the names of a call stand for. */
function prepare(mappings: number): Record<string, string> {
  mkdirSync(FOLDER, { recursive: true });
  const bytes = 4096 * Math.ceil(20_000 + mappings / 60);
  const path = (name: string): string => join(FOLDER, `${name}-${mappings}`);
  const made = (name: string, kind: string, ...parameters: number[]): string => {
    const xml = `${path(name)}.xml`;
    const image = path(name);
    if (existsSync(image)) return image;
    run([process.execPath, join(ROOT, 'bench/tools/gen-xml.mjs')], [kind, xml, ...parameters.map(String)]);
    writeFileSync(image, '');
    truncateSync(image, bytes);
    run(OURS, ['thin_restore', '-i', xml, '-o', image]);
    return image;
  };
  const out = path('out');
  writeFileSync(out, '');
  truncateSync(out, bytes);
  const frag = made('frag', 'thin-frag', mappings, 4);
  return {
    '@frag': frag,
    '@frag.xml': `${frag}.xml`,
    '@tiny': made('tiny', 'thin-seq', 1000),
    '@snaps': made('snaps', 'thin-snaps-def', Math.min(mappings, 1_000_000), 100),
    '@out': out,
    '@packed': path('packed'),
  };
}

interface Sample {
  readonly ms: number;
  /** Peak of resident memory, MiB. */
  readonly mib: number;
}

function measure(program: readonly string[], argv: readonly string[], nowhere: number): Sample | undefined {
  const report = join(FOLDER, 'time');
  const timed = ['-o', report, '-f', '%e %M', ...program, ...argv];
  const begin = performance.now();
  const { status } = spawnSync('/usr/bin/time', timed, { stdio: ['ignore', nowhere, nowhere] });
  const ms = performance.now() - begin;
  if (status !== 0) return undefined;
  const [, kib = '0'] = readFileSync(report, 'utf8').trim().split(' ').slice(-2);
  return { ms, mib: Number(kib) / 1024 };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const { mappings, rounds, rows } = parse(process.argv.slice(2));
const names = prepare(mappings);
const nowhere = openSync('/dev/null', 'w');
console.log(`${mappings} mappings, ${rounds} rounds, medians; peaks in MiB`);
console.log('| work | 0.9.0 | 1.1.0 | ours | ours / 1.1.0 | goal |\n| --- | --- | --- | --- | --- | --- |');
for (const { name, call, goal, slowForCpp } of rows) {
  const [tool = '', ...words] = call.split(' ');
  const argv = words.map((word) => names[word] ?? word);
  const ours = tool === 'node' ? [process.execPath, '-e', '0'] : [...OURS, tool];
  const programs = [slowForCpp ? [''] : [join(CPP, tool)], [join(RUST, tool)], ours];
  const samples = programs.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, program] of programs.entries()) {
      if (!existsSync(program[0]!)) continue;
      rmSync(names['@packed']!, { force: true });
      const sample = measure(program, argv, nowhere);
      if (sample !== undefined) samples[i]!.push(sample);
    }
  }
  const medians = samples.map((each) => median(each.map(({ ms }) => ms)));
  const cells = samples.map((each, i) =>
    each.length === 0 ? '-' : `${medians[i]!.toFixed(0)} ms, ${Math.max(...each.map(({ mib }) => mib)).toFixed(0)}`,
  );
  console.log(
    `| ${name} | ${cells.join(' | ')} | ${(medians[2]! / medians[1]!).toFixed(2)} | ${goal === undefined ? '' : `≤ ${goal}`} |`,
  );
}
