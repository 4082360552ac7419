import type { NamedPoolStatus } from 'persistent-data/pool';
import { type LoadFigures, runFio, writeFua } from './load.ts';
import { type Figure, median } from './result.ts';
import type { NbdRow } from './row.ts';
import { run } from './server-process.ts';
import { type Condition, DISK, type Stage, type Subject } from './stage.ts';

const BLOCK = 65_536;

type Measured = 'iops' | 'mib';

interface Sample extends LoadFigures {
  readonly cpuUs: number;
}

interface Transfer {
  readonly name: string;
  readonly about: string;
  readonly condition: Condition;
  readonly measured?: Measured;
  readonly goal: number;
  /** Arguments of fio; or how deep writes with FUA are. */
  readonly load: string | { readonly fuaDepth: number };
}

const PEERS: Readonly<Record<Condition, string>> = {
  full: 'qcow2',
  empty: 'qcow2',
  snapshot: 'qcow2, internal snapshot',
  backing: 'qcow2, backing file',
  writethrough: 'qcow2, writethrough',
};

/** 4 KiB into each block of 64 KiB, once: without a limit fio begins again at the front, where blocks are no longer new. */
const FIRST_4K = '--rw=write:60k --bs=4k --iodepth=32 --io_size=EACH_BLOCK';

const TRANSFERS: readonly Transfer[] = [
  {
    name: 'read-d1',
    about: 'random read 4 KiB, depth 1',
    condition: 'full',
    goal: 1,
    load: '--rw=randread --bs=4k --iodepth=1',
  },
  {
    name: 'read-d32',
    about: 'random read 4 KiB, depth 32',
    condition: 'full',
    goal: 2,
    load: '--rw=randread --bs=4k --iodepth=32',
  },
  {
    name: 'write-d1',
    about: 'random write 4 KiB, provisioned, depth 1',
    condition: 'full',
    goal: 1,
    load: '--rw=randwrite --bs=4k --iodepth=1',
  },
  {
    name: 'write-d32',
    about: 'random write 4 KiB, provisioned, depth 32',
    condition: 'full',
    goal: 1.2,
    load: '--rw=randwrite --bs=4k --iodepth=32',
  },
  {
    name: 'seq-read',
    about: 'sequential read 1 MiB, depth 8',
    condition: 'full',
    measured: 'mib',
    goal: 2,
    load: '--rw=read --bs=1M --iodepth=8',
  },
  {
    name: 'seq-write',
    about: 'sequential write 1 MiB, depth 8',
    condition: 'full',
    measured: 'mib',
    goal: 1.5,
    load: '--rw=write --bs=1M --iodepth=8',
  },
  {
    name: 'first-4k',
    about: 'first write, unprovisioned, 4 KiB, depth 32',
    condition: 'empty',
    goal: 1.2,
    load: FIRST_4K,
  },
  {
    name: 'first-64k',
    about: 'first write, unprovisioned, 64 KiB, depth 8',
    condition: 'empty',
    goal: 1.2,
    load: '--rw=write --bs=64k --iodepth=8',
  },
  {
    name: 'after-snapshot',
    about: 'first write after a snapshot, 4 KiB, depth 32',
    condition: 'snapshot',
    goal: 10,
    load: FIRST_4K,
  },
  { name: 'after-backing', about: 'the same, beside a backing file', condition: 'backing', goal: 1, load: FIRST_4K },
  {
    name: 'fua-d1',
    about: '4 KiB FUA write, provisioned, depth 1',
    condition: 'writethrough',
    goal: 0.8,
    load: { fuaDepth: 1 },
  },
  {
    name: 'fua-d16',
    about: '4 KiB FUA write, provisioned, depth 16',
    condition: 'writethrough',
    goal: 2,
    load: { fuaDepth: 16 },
  },
];

/** Rows of requests beside qemu-nbd. */
export const TRANSFER_ROWS: readonly NbdRow[] = TRANSFERS.map((transfer) => ({
  name: transfer.name,
  about: transfer.about,
  measure: async (stage) => {
    const { condition, measured = 'iops', goal } = transfer;
    const [ours, peer]: [Sample[], Sample[]] = [[], []];
    for (let i = 0; i < stage.sizes.runs; i++) {
      ours.push(await sample(await stage.ours(condition), transfer, stage));
      peer.push(await sample(await stage.peer(condition), transfer, stage));
    }
    const unit = measured === 'iops' ? 'IOPS' : 'MiB/s';
    const figures = { ours: figureOf(ours, measured), peer: figureOf(peer, measured) };
    return { unit, ...figures, peerName: PEERS[condition], goal };
  },
}));

/** A row of reads through many snapshots, beside the volume that they were made of. */
export const CHAIN_READ: NbdRow = {
  name: 'chain-read',
  about: 'random read 4 KiB, depth 32, through a chain of snapshots',
  measure: async (stage) => {
    const { runs, chain } = stage.sizes;
    let last = DISK;
    for (let i = 0; i < chain; i++) {
      const name = `read-chain-${i}`;
      await stage.control.call('snapshot', { origin: last, name });
      last = name;
    }
    const [ours, peer]: [Sample[], Sample[]] = [[], []];
    const end = () => Promise.resolve();
    const transfer = { condition: 'full', load: '--rw=randread --bs=4k --iodepth=32' } as const;
    for (let i = 0; i < runs; i++) {
      for (const [name, samples] of [
        [last, ours],
        [DISK, peer],
      ] as const) {
        const { server } = stage;
        samples.push(await sample({ uri: server.uri(name), server, end }, transfer, stage));
      }
    }
    const figures = { ours: figureOf(ours, 'iops'), peer: figureOf(peer, 'iops') };
    return { unit: 'IOPS', ...figures, peerName: 'ours, no snapshot', goal: 0.95, note: `${chain} snapshots` };
  },
};

async function sample(
  { uri, server, end }: Subject,
  { condition, load }: Pick<Transfer, 'condition' | 'load'>,
  { sizes: { seconds, sizeBytes }, folder, server: ours, control }: Stage,
): Promise<Sample> {
  const isFirst = condition === 'empty' || condition === 'snapshot' || condition === 'backing';
  const used = async (): Promise<number> => ((await control.call('status')) as NamedPoolStatus).usedDataBytes;
  try {
    // What an earlier run has left to write would slow the flushes and the new pages of this one.
    if (condition !== 'full') run('sync', ['-f', folder]);
    const [before, usedBefore] = [server.cpuUs(), await used()];
    const figures =
      typeof load === 'string'
        ? runFio(uri, [
            `--size=${sizeBytes}`,
            `--runtime=${seconds}`,
            ...(isFirst ? [] : ['--time_based']),
            ...load.replace('EACH_BLOCK', `${sizeBytes / 16}`).split(' '),
          ])
        : await writeFua(uri, { depth: load.fuaDepth, seconds, sizeBytes });
    const cpuUs = (server.cpuUs() - before) / figures.nrRequests;
    if (isFirst && server === ours) checkFirst(figures.nrRequests, (await used()) - usedBefore);
    return { ...figures, cpuUs };
  } finally {
    await end();
  }
}

/** Each first write takes a new block: else something else was measured. */
function checkFirst(nrRequests: number, takenBytes: number): void {
  if (takenBytes === nrRequests * BLOCK) return;
  throw new Error(`Cannot measure first writes: ${nrRequests} requests have taken ${takenBytes / BLOCK} blocks`);
}

function figureOf(samples: readonly Sample[], measured: Measured): Figure {
  const runs = samples.map((each) => Math.round(each[measured]));
  return { median: median(runs), runs, cpuUs: Math.round(median(samples.map(({ cpuUs }) => cpuUs)) * 10) / 10 };
}
