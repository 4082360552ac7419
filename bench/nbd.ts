/*
 * Speed of a served pool beside qemu-nbd on qcow2, with fio's nbd engine over unix sockets:
 *
 *   npm run bench -- nbd [--quick] [--json] [--only ROW] [--runs 3] [--seconds 2] [--dir PATH]
 *
 * Both servers are processes of their own, on files in the page cache below PATH (the folder for temporary files), with blocks of 64 KiB. Runs are
 * interleaved: each round runs both. Prints medians; ratios are of medians. `--only` can be given several times, or with commas; `--quick` is small
 * and once, to see that everything works. With `--json`, a line for each row (bench/nbd/result.ts). Build before.
 */

import { parseArgs } from 'node:util';
import { resultOf, TABLE_HEAD, tableLine } from './nbd/result.ts';
import type { NbdRow } from './nbd/row.ts';
import { MEMORY, SNAPSHOT_ROWS } from './nbd/snapshot-rows.ts';
import { type Sizes, Stage } from './nbd/stage.ts';
import { CHAIN_READ, TRANSFER_ROWS } from './nbd/transfer-rows.ts';

const ROWS: readonly NbdRow[] = [...TRANSFER_ROWS, ...SNAPSHOT_ROWS, CHAIN_READ, MEMORY];

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    runs: { type: 'string' },
    seconds: { type: 'string' },
    dir: { type: 'string' },
  },
});
const sizes: Sizes = {
  runs: Number(options.runs ?? (options.quick ? 1 : 3)),
  seconds: Number(options.seconds ?? (options.quick ? 1 : 2)),
  sizeBytes: options.quick ? 2 ** 27 : 2 ** 29,
  nrMappings: options.quick ? 100_000 : 10_000_000,
  chain: options.quick ? 50 : 1000,
};
const only = (options.only ?? []).flatMap((text) => text.split(','));
const unknown = only.filter((name) => !ROWS.some((row) => row.name === name));

/** Ctrl-C ends the run after the part that is under way, and leaves no server and no file behind. */
const interruption = new AbortController();
process.once('SIGINT', () => interruption.abort());
process.once('SIGTERM', () => interruption.abort());

async function main(): Promise<void> {
  const stage = await Stage.open(sizes, options.dir);
  try {
    if (!options.json)
      console.log(
        `${sizes.runs} runs of ${sizes.seconds} s, medians; in brackets the server's CPU time of a request\n${TABLE_HEAD}`,
      );
    for (const row of ROWS) {
      if (only.length > 0 && !only.includes(row.name)) continue;
      if (interruption.signal.aborted) break;
      const result = resultOf(row.name, row.about, await row.measure(stage));
      console.log(options.json ? JSON.stringify(result) : tableLine(result));
    }
  } finally {
    await stage.close();
  }
}

if (unknown.length > 0 || !(sizes.runs > 0) || !(sizes.seconds > 0)) {
  console.error(`--only takes: ${ROWS.map(({ name }) => name).join(' ')}; --runs and --seconds are above 0`);
  process.exitCode = 2;
} else await main();
