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

/** How the figures of now came about: to be changed when they are measured again. */
const CONDITIONS = `On a machine that does nothing else. The rows of depth 1, of sequential reads and of the chain are of a second run, after the server had learned to stay awake (see below);
before it, random reads at depth 1 were 12.9 k, writes 12.9 k, FUA 3.8 k.
`;

const BOUNDS = `## What bounds each figure

- **One request at a time**: sleeping. On an idle machine the server falls asleep after each reply and has to be woken, which takes more than all of the request; so it looks for the next one for
  0.1 ms when they come in quick succession (\`nbd/lookout.ts\`), at the price of the processor's time of that moment.
- **Sequential transfers**: the processor time of one thread in the kernel. A read of 1 MiB is copied from the page cache and then into the socket, 208 KiB at a time, as a unix socket
  holds no more and Node cannot ask for more. A bare Node server of 40 lines that only reads and sends, with a client that looks at nothing, needs 320 to 360 µs for each MiB, which is 2.6 to 2.9 GiB/s:
  that is the ceiling; this server needs 350 to 450. qemu-nbd needs 660 µs, but of more than one thread: it reads the file in others. With both processors to themselves that makes up for it when reading, so that the goal
  for reads, which was set when it did 860 MiB/s, is missed by ratio. Tried in vain: reading 128 to 512 KiB at a time into memory that is still in the processor's cache (5 % less time in
  the bare server), slices of a read between turns of the event loop (nothing, nor for others who wait). What is left to try is reading in other threads, which needs data blocks that nobody can
  be given meanwhile.
- **First writes**: of 4 KiB, more than half of 13 µs is JavaScript: allocating a block, the mapping, the reply. The first such write after opening lets the host clear up to 1 GiB of free blocks behind it by punching one hole, 4 ms once
  (\`thin-pool/clear-ahead.ts\`); without \`fallocate\`, in a file that is allocated as a whole, and in runs of free blocks below 16 MiB, the rest of the 64 KiB is written as zeros, at 17 to 150 µs. Of 64 KiB, it is the page cache:
  16 new pages for each, which cost twice to eight times as much where the host of a virtual machine has to find them first. That is why runs differ so.
- **First writes after a snapshot**: a copy of 64 KiB, at best 27 µs in the kernel for reading and writing it, more where new pages cost more. The kernel's format shares whole blocks only. Leaving out the 4 KiB that are overwritten would save a sixteenth.
- **FUA**: the flush of the host's disk. What the server adds to a lone writer's was 28 µs of processor time, of which half were two hand-overs between threads, and a scheduler's delay for each; now a flush that
  took less than 2 ms the last time is waited for in place as long as nobody else comes (\`thin-pool/flush-habit.ts\`): 14 µs. On a file system in memory, where a flush is nothing, that was
  20 000 or 33 000 writes a second. Writers beside each other share flushes.
- **Snapshots**: commits, of two flushes each; nothing in them grows with the volume or the chain. Reads do not know of snapshots at all: what differs between the two rows is noise, and the first look-up of each mapping.
- **Long discards**: 20 µs for each mapping that is removed. They are done in slices of 128 mappings with other requests between them, some 3 ms each; a run of neighbours is
  removed whole, up to 1024 of them in 20 ms, as parts of it would leave other nodes than the kernel's.
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
    `${HEAD}\n${CONDITIONS}\nMeasured ${where}; ${ours.runs.length} runs of each. Load of the machine after a row: ${load}.\n`,
    `${TABLE_HEAD}\n${rows.map(tableLine).join('\n')}\n`,
    `${notes.join('\n')}\n`,
    BOUNDS,
    `## All runs\n\n| row | ours | peer |\n| --- | --- | --- |\n${spreads.join('\n')}\n`,
  ].join('\n');
}
