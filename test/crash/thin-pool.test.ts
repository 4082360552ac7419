/** Both disks of a thin pool lose power at the same moment, anywhere: what was flushed is there. And pools that skip a flush are caught. */

import { KeptVersions } from 'persistent-data/disk-space-map';
import { Random } from 'persistent-data/testing';
import { ThinPool } from 'persistent-data/thin-pool';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WaitList } from '../../packages/persistent-data/src/thin-pool/wait-list.ts';
import { crashPool } from '../campaign/crash-pool.ts';
import { type PoolCrashCase, type PoolStep, randomPoolCase } from '../campaign/crash-pool-script.ts';

const seeds = process.env.PDATA_SEED ? [Number(process.env.PDATA_SEED)] : [1, 2, 3, 4, 5, 6];

test.each(seeds)(
  'after a crash volumes hold what was flushed (npm run test:crash -- --seed %d)',
  async (seed) => {
    const { problem, nrStates } = await crashPool(randomPoolCase(new Random(seed), 40, 16));
    expect(problem).toBeUndefined();
    expect(nrStates).toBeGreaterThan(50);
  },
  60_000,
);

/** Every mapping is used again: written, flushed, discarded, written by another volume. */
const SCRIPT: readonly PoolStep[] = [
  ['create', 0],
  ['create', 1],
  ['write', 0, 0, 128],
  ['write', 0, 130, 3],
  ['flush', 0],
  ['snapshot', 2, 0],
  ['write', 0, 5, 2],
  ['flush', 0],
  ['discard', 0, 0, 2],
  ['write', 1, 0, 128],
  ['write', 1, 200, 4],
  ['flush', 1],
  ['rollback', 0, 2],
  ['merge', 1, 2],
  ['write', 0, 7, 1],
  ['flush', 0],
];

const CASE: PoolCrashCase = {
  script: SCRIPT,
  nrDataBlocks: 4,
  nrMetadataBlocks: 64,
  holes: 'none',
  skipBlockZeroing: false,
  originSectors: 0,
  waitsForSpace: false,
  limit: 36,
  seed: 1,
};

afterEach(() => vi.restoreAllMocks());

test('with nothing wrong nothing is found', async () => {
  expect((await crashPool(CASE)).problem).toBeUndefined();
});

test('negative control: dropped flushes of the data are caught', async () => {
  const dataDisk = { dropFlush: () => true };
  expect((await crashPool({ ...CASE, dataDisk })).problem).toMatch(/sector/);
});

test('negative control: dropped flushes of the metadata are caught', async () => {
  const metadataDisk = { dropFlush: (index: number) => index >= 6 };
  expect((await crashPool({ ...CASE, metadataDisk })).problem).toBeDefined();
});

test('negative control: data blocks that are given out too early are caught', async () => {
  // Nothing but the current version counts for the search of a free block.
  vi.spyOn(KeptVersions.prototype, 'with').mockReturnValue([]);
  expect((await crashPool(CASE)).problem).toBeDefined();
});

describe('with an external origin', () => {
  const each: PoolCrashCase = { ...CASE, originSectors: 300 };

  test('nothing is found where nothing is wrong', async () => {
    expect((await crashPool(each)).problem).toBeUndefined();
  });

  test('negative control: blocks that are provisioned without what the origin has are caught', async () => {
    const { thin } = ThinPool.prototype;
    vi.spyOn(ThinPool.prototype, 'thin').mockImplementation(function (this: ThinPool, id, { origin, ...options }) {
      const blank = { sizeBytes: 0, read: () => undefined };
      // What is looked at after a crash has the right origin.
      const isLive = this.metadata.readOnly === false;
      return thin.call(this, id, { ...options, ...(origin ? { origin: isLive ? blank : origin } : {}) });
    });
    expect((await crashPool(each)).problem).toMatch(/sector .* is wanted/);
  });
});

describe('where writes wait for space', () => {
  const script: readonly PoolStep[] = [
    ['create', 0],
    ['write', 0, 0, 128],
    ['write', 0, 128, 128],
    ['write', 0, 300, 5],
    ['write', 0, 303, 5],
    ['flush', 0],
    ['snapshot', 1, 0],
    ['flush', 0],
    ['growData', 2],
    ['flush', 0],
    ['discard', 0, 0, 1],
    ['write', 0, 1, 4],
    ['flush', 0],
  ];
  const each: PoolCrashCase = { ...CASE, script, nrDataBlocks: 2, waitsForSpace: true };

  test('a flush answers for none of them before they are answered, and for all of them afterwards', async () => {
    expect(await crashPool(each)).toMatchObject({ problem: undefined, nrWaited: 2 });
  });

  test('negative control: a write that is answered while it waits is caught', async () => {
    vi.spyOn(WaitList.prototype, 'add').mockResolvedValue(undefined);
    expect((await crashPool(each)).problem).toMatch(/sector .* is wanted/);
  });
});
