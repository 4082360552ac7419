/**
 * A pool with data that `ThinPool` made is opened by a real kernel, which reads the same bytes from each volume, writes, discards and takes
 * snapshots; then `ThinPool` opens what the kernel left, and reads what it wrote. Slow: `npm run test:oracle`.
 */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { FileData, ThinPool, type ThinVolume } from 'persistent-data/thin-pool';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandRange } from '../golden/script.ts';
import { writtenBlock } from './contents.ts';
import { oracleInstalled, type RoundTrip, type RoundTripReport, roundTrips } from './oracle.ts';

const NR_BLOCKS = 48;
const folder = mkdtempSync(join(tmpdir(), 'pdata-oracle-pools-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A pool on two files, and what each of its volumes holds. */
class OraclePool {
  readonly name: string;
  readonly blockBytes: number;
  readonly contents = new Map<number, Uint8Array>();
  readonly #blockSectors: number;

  constructor(name: string, blockSectors: number) {
    this.name = name;
    this.#blockSectors = blockSectors;
    this.blockBytes = blockSectors * 512;
  }

  get metadata(): string {
    return join(folder, `${this.name}.meta`);
  }

  get data(): string {
    return join(folder, `${this.name}.data`);
  }

  get sizeBytes(): number {
    return NR_BLOCKS * this.blockBytes;
  }

  /** Volumes, snapshots of them and of those, written in any places; each request is done to the model too. */
  async make(random: Random): Promise<void> {
    const metadata = FileDevice.open(this.metadata, { create: 'new', nrBlocks: 1024 });
    const data = FileData.open(this.data, { create: 'new', sizeBytes: 400 * this.blockBytes });
    const pool = ThinPool.create({ metadata, data, dataBlockSizeSectors: this.#blockSectors });
    const volumes = new Map<number, ThinVolume>();
    const add = (id: number, bytes: Uint8Array) => {
      this.contents.set(id, bytes);
      volumes.set(id, pool.thin(id, { sizeBytes: this.sizeBytes }));
    };
    await pool.createThin(0);
    add(0, new Uint8Array(this.sizeBytes));
    for (const [id, origin] of [
      [1, 0],
      [2, 1],
      [3, 0],
    ] as const) {
      await this.#use(random, volumes);
      await pool.createSnapshot({ snapshot: id, origin });
      add(id, this.contents.get(origin)!.slice());
    }
    await this.#use(random, volumes);
    await pool.rollbackThin({ thin: 3, snapshot: 2 });
    this.contents.set(3, this.contents.get(2)!.slice());
    await this.#use(random, volumes);
    await pool.close();
    data.close();
    metadata.close();
  }

  async #use(random: Random, volumes: ReadonlyMap<number, ThinVolume>): Promise<void> {
    for (const [id, volume] of volumes) {
      const model = this.contents.get(id)!;
      for (let i = 0; i < 12; i++) {
        const offset = 512 * random.below(this.sizeBytes / 512);
        const bytes = random.bytes(Math.min(this.sizeBytes - offset, 512 * random.between(1, 300)));
        await volume.write(offset, bytes);
        model.set(bytes, offset);
      }
      const begin = random.below(NR_BLOCKS - 4) * this.blockBytes;
      const end = begin + 3 * this.blockBytes;
      await volume.discard(begin, end - begin);
      model.fill(0, begin, end);
      if (random.chance(0.5)) await volume.flush();
    }
  }

  /** What the kernel writes and discards, done to the model. */
  apply(trip: Pick<RoundTrip, 'writes' | 'discards'>): void {
    const { blockBytes } = this;
    for (const { id, range } of trip.writes ?? []) {
      for (const block of expandRange(range)) {
        this.contents.get(id)!.set(writtenBlock(`thin-${id}`, block, blockBytes), block * blockBytes);
      }
    }
    for (const { id, begin, count } of trip.discards ?? []) {
      this.contents.get(id)!.fill(0, begin * blockBytes, (begin + count) * blockBytes);
    }
  }

  sums(): Map<number, string> {
    return new Map([...this.contents].map(([id, bytes]) => [id, sha256(bytes)]));
  }
}

const TRIP: Pick<RoundTrip, 'writes' | 'discards' | 'after'> = {
  writes: [
    { id: 0, range: '0-5' },
    { id: 2, range: 'shuffle:3:0-30' },
    { id: 3, range: '7-40+3' },
  ],
  discards: [{ id: 1, begin: 5, count: 20 }],
  after: ['create_snap 9 2', 'delete 1', 'set_transaction_id 0 1'],
};

describe.skipIf(!oracleInstalled())('a Linux kernel and ThinPool', () => {
  const pools = [new OraclePool('default-blocks', 128), new OraclePool('blocks-of-192-kib', 384)];
  const before = new Map<string, Map<number, string>>();
  const after = new Map<string, Map<number, string>>();
  let reports: ReadonlyMap<string, RoundTripReport>;

  beforeAll(async () => {
    const random = new Random(Number(process.env.PDATA_SEED ?? 1));
    for (const pool of pools) {
      await pool.make(random);
      before.set(pool.name, pool.sums());
      pool.apply(TRIP);
      after.set(pool.name, pool.sums());
    }
    const devices = [0, 1, 2, 3].map((id) => ({ id, nrBlocks: NR_BLOCKS }));
    reports = await roundTrips(
      pools.map(({ name, metadata, data, blockBytes }) => ({
        ...{ ...TRIP, name, metadata, data, devices },
        blockSectors: blockBytes / 512,
      })),
    );
  }, 600_000);

  describe.each(pools.map((pool) => [pool.name, pool] as const))('%s', (name, pool) => {
    test('the kernel reads what was written here', () => {
      const report = reports.get(name);
      expect(report?.status, report?.output).toBe(0);
      for (const [id, sum] of before.get(name)!) expect(report?.sums.get(`before ${id}`), `volume ${id}`).toBe(sum);
      for (const [id, sum] of after.get(name)!) expect(report?.sums.get(`after ${id}`), `volume ${id}`).toBe(sum);
    });

    test('what the kernel wrote is read here, and written on', async () => {
      const metadata = FileDevice.open(pool.metadata);
      const data = FileData.open(pool.data);
      expect([...checkThin(metadata)]).toEqual([]);
      const opened = ThinPool.open({ metadata, data });
      expect(opened.devices().map(({ id }) => id)).toEqual([0, 2, 3, 9]);
      expect(opened.transactionId).toBe(1);
      const sums = after.get(name)!;
      for (const [id, wanted] of [
        [0, sums.get(0)],
        [2, sums.get(2)],
        [3, sums.get(3)],
        [9, sums.get(2)],
      ] as const) {
        const bytes = new Uint8Array(pool.sizeBytes);
        const volume = opened.thin(id, { sizeBytes: pool.sizeBytes });
        await volume.read(0, bytes);
        expect(sha256(bytes), `volume ${id}`).toBe(wanted);
        await volume.write(1000, bytes.subarray(0, 100_000));
      }
      await opened.close();
      expect([...checkThin(metadata)]).toEqual([]);
      data.close();
      metadata.close();
    });
  });
});
