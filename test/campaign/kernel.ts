/** A real kernel in a virtual machine uses random pools of ours, and we read what it leaves; its own log of writes, crashed at every point. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_SIZE, MemoryDevice } from 'persistent-data/io';
import {
  auditThin,
  CrashDevice,
  type CrashPoint,
  type Random,
  randomThinScript,
  ThinPlayer,
} from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { type WalkedPool, walkPool } from '../golden/walk.ts';
import { goldenWriteLog } from '../golden/write-log.ts';
import { expectContents, firstBlocks, makeDataImage, ThinContents } from '../oracle/contents.ts';
import { oracleInstalled, type RoundTrip, type RoundTripReport, roundTrips } from '../oracle/oracle.ts';
import { type Campaign, Failure, type Run } from './campaign.ts';
import { playerOptions } from './thin-pool.ts';

const NR_POOLS = 3;
/** Virtual blocks of each device. */
const NR_BLOCKS = 48;
const BLOCK_BYTES = 65_536;

interface Trial {
  readonly trip: RoundTrip;
  readonly pool: WalkedPool;
}

/** Writes a random pool of ours, and says what the kernel is to do with it. */
async function prepare(random: Random, folder: string, index: number): Promise<Trial> {
  const name = `pool-${index}`;
  const [metadata, data] = [join(folder, `${name}.meta`), join(folder, `${name}.data`)];
  const device = new MemoryDevice({ nrBlocks: 512 });
  const player = ThinPlayer.format(device, playerOptions(512, 400, random));
  const shape = { nrSteps: random.pick([20, 80]), nrIds: 5, nrVirtualBlocks: NR_BLOCKS - 20, maxWrite: 12 };
  await player.playAll([...randomThinScript(random, { ...shape, weights: { hold: 0 } }), ['commit']]);
  player.metadata.close();
  writeFileSync(metadata, device.toBytes());
  const pool = walkPool(device.toBytes());
  makeDataImage(data, pool);
  const ids = pool.devices.map(({ id }) => id);
  const some = () => random.shuffled(ids).slice(0, 2);
  const trip = {
    ...{ name, metadata, data },
    blockSectors: pool.dataBlockSizeSectors,
    devices: ids.map((id) => ({ id, nrBlocks: NR_BLOCKS })),
    writes: some().map((id) => ({
      id,
      range: `shuffle:${random.below(99) + 1}:0-${random.between(3, NR_BLOCKS - 1)}`,
    })),
    discards: some().map((id) => ({ id, begin: random.below(20), count: random.between(1, 20) })),
    after: [
      'create_thin 100',
      ...some().map((id, i) => `create_snap ${101 + i} ${id}`),
      ...ids.slice(0, 1).map((id) => `delete ${id}`),
    ],
  };
  return { trip, pool };
}

/** What is wrong with what the kernel said and left. */
function problemOf({ trip, pool }: Trial, report: RoundTripReport | undefined): string | undefined {
  if (report === undefined || report.status !== 0) return `the kernel does not take it: ${report?.output.slice(-600)}`;
  const expected = expectContents(pool, trip);
  for (const { id } of trip.devices) {
    if (report.sums.get(`before ${id}`) !== expected.before.get(id)?.sha256(NR_BLOCKS))
      return `device ${id} reads wrong`;
    if (report.sums.get(`after ${id}`) !== expected.written.get(id)?.sha256(NR_BLOCKS)) {
      return `device ${id}, written to, reads wrong`;
    }
  }
  const bytes = new Uint8Array(readFileSync(trip.metadata));
  const device = MemoryDevice.from(bytes);
  const { problems } = auditThin(device);
  if (problems.length > 0) return `the kernel leaves: ${problems[0]}`;
  for (const finding of checkThin(device)) return `our check finds in what the kernel leaves: ${finding.message}`;
  const left = firstBlocks(walkPool(bytes), NR_BLOCKS);
  const ids = left.devices.map(({ id }) => id).join();
  const wanted = [...expected.after.keys()].sort((a, b) => a - b).join();
  if (ids !== wanted) return `the kernel leaves the devices ${ids}, ${wanted} are wanted`;
  for (const each of left.devices) {
    const found = ThinContents.ofImage(each, BLOCK_BYTES, trip.data).sha256(NR_BLOCKS);
    if (found !== expected.after.get(each.id)?.sha256(NR_BLOCKS)) return `device ${each.id} holds the wrong bytes`;
  }
  return undefined;
}

/** What the kernel wrote, in its order and with its flushes: whatever a crash leaves of it, we read a sound pool. Answers the states. */
function replayWriteLog(limit: number, seed: number): number {
  let nrStates = 0;
  let isPool = false;
  const look = (point: CrashPoint): void => {
    for (const state of point.states({ limit, seed: seed + point.index })) {
      const { problems, pool } = auditThin(state.open());
      // Before the first superblock there is none, or it is a torn one.
      if (!isPool && (pool === undefined || problems.length > 0)) continue;
      nrStates += 1;
      if (problems.length > 0)
        throw new Failure(`${problems[0]} (${point}, state ${state})`, 'the write log of the kernel');
    }
  };
  const device = new CrashDevice({ nrBlocks: 1024 });
  for (const entry of goldenWriteLog()) {
    if (entry.flush || entry.fua) {
      look(device.crashPoint('before a flush of the kernel'));
      if (entry.flush) device.flush();
    }
    if (entry.data.length > 0 && entry.data.length % BLOCK_SIZE === 0)
      device.write(entry.offset / BLOCK_SIZE, [entry.data]);
    if (entry.fua) device.flush();
    isPool ||= auditThin(device.durable()).pool !== undefined;
  }
  look(device.crashPoint('the end'));
  return nrStates;
}

/** A run is a boot. */
export const KERNEL: Campaign = {
  name: 'kernel',
  states: 'boots',
  hangSeconds: 900,
  ci: { runs: 6 },
  missing: () =>
    oracleInstalled() ? undefined : 'qemu and what the kernel oracle needs are not installed: `npm run peers`',
  async run({ random, count, note }: Run): Promise<void> {
    note('logStates', replayWriteLog(40, random.uint32()));
    const folder = mkdtempSync(join(tmpdir(), 'pdata-kernel-'));
    try {
      const trials: Trial[] = [];
      for (let i = 0; i < NR_POOLS; i += 1) trials.push(await prepare(random, folder, i));
      const reports = await roundTrips(trials.map(({ trip }) => trip));
      count(1);
      note('pools', NR_POOLS);
      for (const trial of trials) {
        const problem = problemOf(trial, reports.get(trial.trip.name));
        if (problem !== undefined) throw new Failure(problem, trial.trip);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
