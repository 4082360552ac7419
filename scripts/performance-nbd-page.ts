/**
 * Makes docs/performance-nbd.md of docs/performance-nbd.jsonl, which `npm run --silent bench -- nbd --json` has written.
 */

import { readFileSync } from 'node:fs';
import { type RowResult, TABLE_HEAD, tableLine } from '../bench/nbd/result.ts';

const HEAD = `# Speed of served pools

Made by \`npm run docs\` from docs/performance-nbd.jsonl. To measure again, on a quiet machine with fio and qemu-utils:

\`\`\`sh
npm run build
npm run --silent bench -- nbd --json >docs/performance-nbd.jsonl     # --quick, --only, --runs and --seconds take less
npm run docs
\`\`\`

\`pdata serve\` stands beside \`qemu-nbd\` on qcow2, both with blocks of 64 KiB, on unix sockets, with files in the page cache; runs are interleaved, figures are
medians, ratios those of medians. The load is fio's nbd engine; for FUA it is this library's client, as fio's engine has no FUA. In brackets: the server's
CPU time of a request, all threads together. In rows of first writes each request is the first one to its block, and the benchmark stops unless the pool
has taken a block for each. One commit is timed as a FUA write into a new block.
`;

/** The whole page. */
export function makePerformanceNbdPage(): string {
  const text = readFileSync(new URL('../docs/performance-nbd.jsonl', import.meta.url), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RowResult);
  const [first] = rows;
  if (first === undefined) throw new Error('docs/performance-nbd.jsonl has no rows');
  const { host, ours } = first;
  const loads = rows.map((row) => row.host.load);
  const where = `${host.date.slice(0, 10)}, ${host.cpu}, ${host.cores} processors, Node ${host.node}`;
  const load = `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
  const notes = rows.flatMap(({ about, note }) => (note === undefined ? [] : [`- ${about}: ${note}.`]));
  const spreads = rows
    .filter(({ unit }) => unit === 'IOPS' || unit === 'MiB/s')
    .map(({ row, ours: each, peer }) => `| ${row} | ${each.runs.join(', ')} | ${peer?.runs.join(', ') ?? '–'} |`);
  return [
    `${HEAD}\nMeasured ${where}; ${ours.runs.length} runs of each. Load of the machine after a row: ${load}.\n`,
    `${TABLE_HEAD}\n${rows.map(tableLine).join('\n')}\n`,
    `${notes.join('\n')}\n`,
    `All runs:\n\n| row | ours | peer |\n| --- | --- | --- |\n${spreads.join('\n')}\n`,
  ].join('\n');
}
