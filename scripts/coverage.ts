/**
 * `npm run coverage [-- PATH…]`: branch and line coverage of the library by layer, by the tests beside the sources and the suites that run in
 * memory. A torch and not a target: it shows what nobody tries. With paths, by those tests alone.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const FOLDER = '.cache/coverage';
const TESTS = [
  'packages/persistent-data/src',
  ...[
    'campaign',
    'conformance',
    'crash',
    'fault',
    'fuzz',
    'golden',
    'model',
    'property',
    'regression',
    'structures',
  ].map((suite) => `test/${suite}/`),
];
/** What everything stands on: at least 95 of 100 branches of these together. */
const CORE = [
  ...['base', 'format', 'io', 'block-manager', 'space-map', 'transaction-manager', 'btree', 'disk-space-map', 'array'],
  ...['bitset', 'thin', 'store'],
];

interface Count {
  readonly covered: number;
  readonly total: number;
}
type Summary = Record<string, { readonly branches: Count; readonly lines: Count }>;

const paths = process.argv.slice(2);
const reporters = [
  '--coverage.reporter=json-summary',
  '--coverage.reporter=html',
  `--coverage.reportsDirectory=${FOLDER}`,
];
const vitest = ['vitest', 'run', '--coverage', ...reporters, ...(paths.length > 0 ? paths : TESTS)];
const { status } = spawnSync('npx', vitest, { stdio: 'inherit' });

const add = (a: Count, b: Count): Count => ({ covered: a.covered + b.covered, total: a.total + b.total });
const NONE: Count = { covered: 0, total: 0 };
const layers = new Map<string, { branches: Count; lines: Count }>();
const summary: Summary = JSON.parse(readFileSync(`${FOLDER}/coverage-summary.json`, 'utf8'));
for (const [path, { branches, lines }] of Object.entries(summary)) {
  const layer = /packages\/persistent-data\/src\/([^/]+)\//.exec(path)?.[1];
  if (layer === undefined) continue;
  const sofar = layers.get(layer) ?? { branches: NONE, lines: NONE };
  layers.set(layer, { branches: add(sofar.branches, branches), lines: add(sofar.lines, lines) });
}

const percent = ({ covered, total }: Count): string =>
  `${(total === 0 ? 100 : (100 * covered) / total).toFixed(1).padStart(5)} % of ${total}`;
const show = (name: string, { branches, lines }: { branches: Count; lines: Count }): void =>
  console.log(`${name.padEnd(20)} branches ${percent(branches).padEnd(16)} lines ${percent(lines)}`);
const all = [...layers].sort(([a], [b]) => (a < b ? -1 : 1));
for (const [name, counts] of all) show(name, counts);
const core = all.filter(([name]) => CORE.includes(name)).map(([, counts]) => counts);
show('core layers', {
  branches: core.map(({ branches }) => branches).reduce(add, NONE),
  lines: core.map(({ lines }) => lines).reduce(add, NONE),
});
process.exitCode = status ?? 1;
