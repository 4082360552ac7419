/**
 * Makes docs/performance-tools.md of docs/performance-tools.jsonl, which `npm run --silent bench -- tools --json` has written.
 */

import { readFileSync } from 'node:fs';
import { type RowResult, TABLE_HEAD, tableLine } from '../bench/tools/result.ts';

const HEAD = `# Speed and memory of the tools

Made by \`npm run docs\` from docs/performance-tools.jsonl. To measure again, on a quiet machine:

\`\`\`sh
npm run build
bench/tools/get-rust-tools.sh                                           # version 1.1.0, into .cache; 0.9.0 is Debian 12's package
npm run --silent bench -- tools --json >docs/performance-tools.jsonl     # --family, --only, --runs and --n take less
npm run docs
\`\`\`

Each row runs the same command of all programs, in turns. Times are medians of wall time, with the time of all processors in brackets; memory is the largest
peak of resident memory, in which some 40 MiB are Node's own. The output goes to /dev/null. A command that has failed, or takes minutes, shows a dash. The
checks and \`thin_ls\` of 1.1.0 end at the next half second of their progress display, so small inputs take them 500 ms.
`;

/** The whole page. */
export function makePerformanceToolsPage(): string {
  const text = readFileSync(new URL('../docs/performance-tools.jsonl', import.meta.url), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RowResult);
  const [first] = rows;
  if (first === undefined) throw new Error('docs/performance-tools.jsonl has no rows');
  const { host, n, ours } = first;
  const loads = rows.map((row) => row.host.load);
  const where = `${host.date.slice(0, 10)}, ${host.cpu}, ${host.cores} processors, Node ${host.node}`;
  const measured = `n = ${n}, ${ours?.runsMs.length ?? 0} runs of each. Load of the machine before a row: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`;
  const calls = rows.map(({ family, row, about, call }) => `| ${family} ${row} | ${about} | \`${call}\` |`);
  return [
    `${HEAD}\nMeasured ${where}; ${measured}\n`,
    `${TABLE_HEAD}\n${rows.map(tableLine).join('\n')}\n`,
    'Words with `@` stand for inputs of bench/tools.\n',
    `| row | what it does | command |\n| --- | --- | --- |\n${calls.join('\n')}\n`,
  ].join('\n');
}
