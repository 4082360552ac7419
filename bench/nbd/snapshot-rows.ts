import { join } from 'node:path';
import { NbdClient } from 'persistent-data/nbd';
import type { ControlClient } from 'persistent-data/pool-server';
import { runFio } from './load.ts';
import { type Figure, median, type Outcome } from './result.ts';
import type { NbdRow } from './row.ts';
import { ServerProcess } from './server-process.ts';
import { controlOf, DISK, makeLargePool } from './stage.ts';

const BLOCK = 65_536;
const NR_TIMED = 20;
const GOAL_MS = 2;
/** The metadata cache of a served pool; it cannot be set on the command line. */
const CACHE_MIB = 64;
const SERVER_MIB = 100;

/** Rows of snapshots: their time beside that of one commit. */
export const SNAPSHOT_ROWS: readonly NbdRow[] = [
  {
    name: 'snapshot-large',
    about: 'snapshot of a volume with 10 M mappings',
    measure: async ({ folder, sizes: { nrMappings } }) => {
      const pool = join(folder, 'large');
      await makeLargePool(pool, nrMappings);
      const server = await ServerProcess.pdata(pool, join(folder, 'large.sock'));
      const control = await controlOf(pool);
      const commits = await CommitTimer.open(server, 'small');
      try {
        const [large, small, commit]: [number[], number[], number[]] = [[], [], []];
        for (let i = 0; i < NR_TIMED; i++) {
          large.push(await timeSnapshot(control, 'large', `l${i}`));
          commit.push(await commits.time());
          small.push(await timeSnapshot(control, 'small', `s${i}`));
        }
        const note = `${nrMappings} mappings; a snapshot of a small volume: ${median(small).toFixed(2)} ms`;
        return outcome(large, commit, note);
      } finally {
        await commits.close();
        control.close();
        await server.stop();
      }
    },
  },
  {
    name: 'snapshot-chain',
    about: '1000th snapshot of a snapshot',
    measure: async (stage) => {
      const { control, server, sizes } = stage;
      await control.call('create', { name: 'commits', sizeBytes: 2 ** 30 });
      const commits = await CommitTimer.open(server, 'commits');
      try {
        const [all, commit]: [number[], number[]] = [[], []];
        let last = DISK;
        for (let i = 0; i < sizes.chain; i++) {
          all.push(await timeSnapshot(control, last, `chain-${i}`));
          last = `chain-${i}`;
          if (i >= sizes.chain - NR_TIMED) commit.push(await commits.time());
        }
        const note = `the last ${NR_TIMED} of ${sizes.chain}; the first: ${median(all.slice(0, NR_TIMED)).toFixed(2)} ms`;
        return outcome(all.slice(-NR_TIMED), commit, note);
      } finally {
        await commits.close();
      }
    },
  },
];

/** What the server that has gone through all rows before has needed. */
export const MEMORY: NbdRow = {
  name: 'memory',
  about: 'memory of the server after all that, peak',
  measure: (stage) => {
    const { server, sizes } = stage;
    const argv = [`--size=${sizes.sizeBytes}`, `--runtime=${sizes.seconds}`, '--time_based'];
    for (const load of [
      '--rw=randrw --bs=4k --iodepth=32',
      '--rw=write --bs=1M --iodepth=32',
      '--rw=read --bs=1M --iodepth=32',
    ]) {
      runFio(server.uri(DISK), [...argv, ...load.split(' ')]);
    }
    const { now, peak } = server.memoryMib();
    const note = `${CACHE_MIB} MiB of cache are configured; ${Math.round(now)} MiB at the end`;
    const ours = { median: Math.round(peak), runs: [Math.round(peak)] };
    return Promise.resolve({ unit: 'MiB', ours, goalMib: CACHE_MIB + SERVER_MIB, note });
  },
};

async function timeSnapshot(control: ControlClient, origin: string, name: string): Promise<number> {
  const begin = performance.now();
  await control.call('snapshot', { origin, name });
  return performance.now() - begin;
}

/** Times commits: a write with FUA into a new block is answered after one. */
class CommitTimer {
  readonly #client: NbdClient;
  #block = 0;

  private constructor(client: NbdClient) {
    this.#client = client;
  }

  static async open(server: ServerProcess, name: string): Promise<CommitTimer> {
    return new CommitTimer(await NbdClient.connect(server.uri(name)));
  }

  async time(): Promise<number> {
    const begin = performance.now();
    await this.#client.write(this.#block++ * BLOCK, new Uint8Array(4096).fill(1), { fua: true });
    return performance.now() - begin;
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

function outcome(snapshots: readonly number[], commits: readonly number[], note: string): Outcome {
  const figure = (times: readonly number[]): Figure => {
    const runs = times.map((ms) => Math.round(ms * 100) / 100);
    return { median: median(runs), runs };
  };
  const figures = { ours: figure(snapshots), peer: figure(commits) };
  return { unit: 'ms', ...figures, peerName: 'one commit', goalAboveMs: GOAL_MS, note };
}
