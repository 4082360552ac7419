/**
 * A real kernel opens pools that we wrote, reads the right bytes from each thin device, writes, discards, snapshots and takes
 * them down, and we accept what it leaves. All in one boot. Slow: `npm run test:oracle`.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type WalkedPool, walkPool } from '../golden/walk.ts';
import { peer } from '../peers.ts';
import { expectContents, makeDataImage, ThinContents } from './contents.ts';
import { oracleInstalled, type RoundTrip, type RoundTripReport, roundTrips } from './oracle.ts';
import { describePool, poolXml } from './pool-xml.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-oracle-images-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const thinRestore = peer('thin_restore');
const thinCheck = peer('thin_check');

/** A pool, who writes its metadata, and what the kernel is to do with it. */
interface Case {
  readonly name: string;
  readonly pool: WalkedPool;
  readonly metadataBlocks: number;
  readonly write: (pool: WalkedPool, path: string) => void;
  readonly trip: Omit<RoundTrip, 'name' | 'metadata' | 'data' | 'blockSectors'>;
}

function restoreByDebian(pool: WalkedPool, path: string): void {
  writeFileSync(`${path}.xml`, poolXml(pool));
  execFileSync(thinRestore!, ['-i', `${path}.xml`, '-o', path], { stdio: 'pipe' });
}

const SHARED = describePool({
  ...{ nrDataBlocks: 512, time: 1, transactionId: 2 },
  devices: [
    {
      id: 1,
      snapshottedTime: 1,
      runs: [
        [0, 100, 10, 0],
        [20, 7, 1, 1],
        [31, 5, 1, 0],
      ],
    },
    {
      id: 9,
      snapshottedTime: 1,
      runs: [
        [0, 100, 3, 0],
        [3, 300, 1, 1],
      ],
    },
  ],
});

const cases: Case[] = [];
if (thinRestore !== undefined) {
  cases.push({
    name: 'debian-restored',
    pool: SHARED,
    metadataBlocks: 1024,
    write: restoreByDebian,
    trip: {
      devices: [
        { id: 1, nrBlocks: 64 },
        { id: 9, nrBlocks: 32 },
      ],
      writes: [
        { id: 1, range: '0-3' },
        { id: 1, range: '15' },
        { id: 9, range: '1' },
        { id: 9, range: '25-30' },
      ],
      discards: [{ id: 1, begin: 20, count: 2 }],
      after: ['create_snap 10 9', 'delete 1', 'set_transaction_id 2 3'],
    },
  });
}

const tripOf = ({ name, trip, pool }: Case): RoundTrip => ({
  ...trip,
  name,
  metadata: join(folder, `${name}.meta`),
  data: join(folder, `${name}.data`),
  blockSectors: pool.dataBlockSizeSectors,
});

describe.skipIf(!oracleInstalled() || cases.length === 0)('a Linux kernel', () => {
  let reports: ReadonlyMap<string, RoundTripReport>;

  beforeAll(async () => {
    for (const each of cases) {
      const { metadata, data } = tripOf(each);
      writeFileSync(metadata, '');
      truncateSync(metadata, each.metadataBlocks * 4096);
      each.write(each.pool, metadata);
      makeDataImage(data, each.pool);
    }
    reports = await roundTrips(cases.map(tripOf));
  }, 300_000);

  describe.each(cases.map((each) => [each.name, each] as const))('%s', (name, each) => {
    const trip = tripOf(each);
    const blockBytes = each.pool.dataBlockSizeSectors * 512;
    const expected = expectContents(each.pool, trip);

    test('is opened, used and taken down', () => {
      const report = reports.get(name);
      expect(report?.status, report?.output).toBe(0);
      expect(report?.output).toContain('thin round trip: done');
    });

    test.each(trip.devices)('gives the right bytes of device $id', ({ id, nrBlocks }) => {
      const sums = reports.get(name)?.sums;
      expect(sums?.get(`before ${id}`)).toBe(expected.before.get(id)?.sha256(nrBlocks));
      expect(sums?.get(`after ${id}`)).toBe(expected.written.get(id)?.sha256(nrBlocks));
    });

    test('is left with what was written', () => {
      const pool = walkPool(new Uint8Array(readFileSync(trip.metadata)));
      expect(pool.devices.map((device) => device.id)).toEqual([...expected.after.keys()].sort((a, b) => a - b));
      for (const device of pool.devices) {
        const found = ThinContents.ofImage(device, blockBytes, trip.data);
        const nrBlocks = Math.max(64, ...device.mappings.map(([block]) => block + 1));
        expect(found.sha256(nrBlocks), `device ${device.id}`).toBe(expected.after.get(device.id)?.sha256(nrBlocks));
      }
    });

    test.skipIf(!thinCheck)('satisfies thin_check of Debian afterwards', () => {
      execFileSync(thinCheck!, [trip.metadata], { stdio: 'pipe' });
    });
  });
});
