/** The harnesses of faults, models, full disks, hostile images and killed processes, each shown to catch programs that are wrong in one way. */

import { join } from 'node:path';
import { KeptVersions } from 'persistent-data/disk-space-map';
import { NODE_VALIDATOR } from 'persistent-data/format';
import type { BlockDevice } from 'persistent-data/io';
import { FaultDevice, Random, ThinPlayer, type ThinScript } from 'persistent-data/testing';
import { ThinMetadata } from 'persistent-data/thin';
import { TransactionManager } from 'persistent-data/transaction-manager';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Journal } from '../../packages/persistent-data/src/store/journal.ts';
import type { Run } from './campaign.ts';
import { crashPool } from './crash-pool.ts';
import type { PoolCrashCase } from './crash-pool-script.ts';
import { crashStore } from './crash-store.ts';
import { ENOSPC } from './enospc.ts';
import { countCalls, type FaultCase, faultProblem } from './fault.ts';
import { CALL_KINDS, faultsAt } from './faults.ts';
import { runThinFuzz } from './fuzz-thin.ts';
import { modelProblem } from './model.ts';
import { storeModelProblem } from './model-store.ts';
import { SIGKILL } from './sigkill.ts';
import { randomStoreScript, type StoreScript } from './store-script.ts';
import { SuperblockFirst } from './superblock-first.ts';
import { DATA_BLOCK_SECTORS } from './thin-pool.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** One run of a campaign by itself. */
function runOf(seed: number): Run {
  return { index: 0, random: new Random(seed), count: () => undefined, note: () => undefined };
}

/** The failure that a campaign's runs come to first; `undefined` when there is none in so many. */
async function firstFailure(run: (run: Run) => void | Promise<void>, nrRuns: number): Promise<string | undefined> {
  for (let seed = 1; seed <= nrRuns; seed++) {
    try {
      await run(runOf(seed));
    } catch (error) {
      return (error as Error).message;
    }
  }
  return undefined;
}

/** Reference counts go wrong: nodes that are shared, or given up, are not counted. */
function skipCounts(name: 'inc' | 'dec'): void {
  vi.spyOn(TransactionManager.prototype, name).mockImplementation(() => undefined);
}

/** Whatever the last commit uses may be allocated. */
function forgetLastCommit(): void {
  vi.spyOn(KeptVersions.prototype, 'with').mockReturnValue([]);
}

/** A program that uses its device in a wrong way. */
function playThrough(wrap: (device: BlockDevice) => BlockDevice): void {
  const { open } = ThinPlayer;
  vi.spyOn(ThinPlayer, 'open').mockImplementation((device, ...others) =>
    open.call(ThinPlayer, wrap(device), ...others),
  );
}

const SCRIPT: ThinScript = [
  ['create', 0],
  ['writeRun', 0, 0, 20],
  ['commit'],
  ['snapshot', 1, 0],
  ['write', 0, 3],
  ['commit'],
  ['delete', 1],
  ['create', 2],
  ['commit'],
  ['discard', 0, 5, 9],
  ['snapshot', 3, 0],
  ['commit'],
];

const SMALL = { dataBlockSizeSectors: DATA_BLOCK_SECTORS, cacheBlocks: 32 };

describe('the fault harness catches', () => {
  const each: FaultCase = { script: SCRIPT, options: { ...SMALL, nrMetadataBlocks: 128, nrDataBlocks: 500 } };

  /** What is wrong at the first call that fails and is not taken well. */
  async function firstProblem(): Promise<string | undefined> {
    let calls: FaultDevice['calls'];
    try {
      calls = await countCalls(each);
    } catch (error) {
      return `without a fault: ${(error as Error).message}`;
    }
    for (const kind of CALL_KINDS) {
      for (let at = 0; at < calls[kind]; at++) {
        for (const fault of faultsAt(kind, at)) {
          const problem = await faultProblem(each, fault);
          if (problem !== undefined) return problem;
        }
      }
    }
    return undefined;
  }

  test('nothing where nothing is wrong', async () => {
    expect(await firstProblem()).toBeUndefined();
  });

  test('that a flush is left out', async () => {
    // The disk fails at a later one, and with it goes all since the last good one.
    playThrough((device) => {
      let nrFlushes = 0;
      const { flush } = device;
      device.flush = () => {
        if (++nrFlushes % 2 === 1) flush.call(device);
      };
      return device;
    });
    expect(await firstProblem()).toMatch(/it holds what it must not/);
  });

  test('a superblock that is written first', async () => {
    playThrough((device) => new SuperblockFirst(device));
    expect(await firstProblem()).toBeDefined();
  });

  test('that blocks of the last commit are allocated', async () => {
    forgetLastCommit();
    expect(await firstProblem()).toBeDefined();
  });

  test.each(['inc', 'dec'] as const)('that %s of a reference count is skipped', async (name) => {
    skipCounts(name);
    expect(await firstProblem()).toBeDefined();
  });
});

describe('the harness of models catches', () => {
  const sizes = { metadata: 128, data: 500 };
  const options = { ...SMALL, nrMetadataBlocks: sizes.metadata, nrDataBlocks: sizes.data };

  test('nothing where nothing is wrong', async () => {
    expect(await modelProblem(SCRIPT, sizes, options)).toBeUndefined();
  });

  test.each(['inc', 'dec'] as const)('that %s of a reference count is skipped', async (name) => {
    skipCounts(name);
    expect(await modelProblem(SCRIPT, sizes, options)).toBeDefined();
  });

  test('that data blocks of the last commit are allocated', async () => {
    forgetLastCommit();
    const script: ThinScript = [
      ['create', 0],
      ['write', 0, 1],
      ['commit'],
      ['discard', 0, 0, 9],
      ['reopen'],
      ...SCRIPT,
    ];
    const reuse: ThinScript = [['write', 0, 2], ['commit'], ['reopen'], ['discard', 0, 0, 9], ['write', 0, 3]];
    expect(await modelProblem([...script.slice(0, 3), ...reuse], sizes, options)).toMatch(/still uses it/);
  });

  const storeScript: StoreScript = [
    ['set', 0, 1, 3000, 5],
    ['snapshot', 1],
    ['set', 0, 40, 1, 7],
    ['remove', 1],
    ['unset', 0, 1, 3000],
    ['checkpoint'],
  ];
  const storeOptions = { journalBlocks: 4, cacheBytes: 131_072 };

  test.each(['inc', 'dec'] as const)('of a Store, that %s of a reference count is skipped', async (name) => {
    expect(await storeModelProblem(storeScript, storeOptions)).toBeUndefined();
    skipCounts(name);
    expect(await storeModelProblem(storeScript, storeOptions)).toBeDefined();
  });
});

describe('the harness of full disks catches', () => {
  const run = (each: Run) => ENOSPC.run(each);

  test.each(['inc', 'dec'] as const)('that %s of a reference count is skipped', async (name) => {
    skipCounts(name);
    expect(await firstFailure(run, 3)).toBeDefined();
  });

  test('that blocks of the last commit are allocated', async () => {
    forgetLastCommit();
    expect(await firstFailure(run, 5)).toBeDefined();
  });

  test('a superblock that is written before there is room for the rest', async () => {
    playThrough((device) => (device instanceof FaultDevice ? new SuperblockFirst(device) : device));
    expect(await firstFailure(run, 5)).toMatch(/blocks of host space/);
  });
});

describe('the fuzz harness catches', () => {
  test('nothing where nothing is wrong', async () => {
    expect(await firstFailure(runThinFuzz, 60)).toBeUndefined();
  });

  test('that nodes are believed without a look', async () => {
    vi.spyOn(NODE_VALIDATOR, 'check').mockImplementation(() => undefined);
    expect(await firstFailure(runThinFuzz, 300)).toBeDefined();
  });

  test('an error of no known kind', async () => {
    vi.spyOn(ThinMetadata.prototype, 'devices').mockImplementation(() => {
      throw new TypeError('undefined is not a function');
    });
    expect(await firstFailure(runThinFuzz, 20)).toMatch(/undefined is not a function/);
  });

  test('what takes longer than five seconds', async () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 6000;
      return now;
    });
    expect(await firstFailure(runThinFuzz, 1)).toMatch(/it took 6000 ms/);
  });
});

describe('the crash harness of pools with their data catches', () => {
  const each: PoolCrashCase = {
    script: [
      ['create', 0],
      ['write', 0, 0, 128],
      ['flush', 0],
      ['snapshot', 1, 0],
      ['write', 0, 5, 2],
      ['flush', 0],
      ['delete', 1],
      ['write', 0, 130, 3],
      ['flush', 0],
    ],
    nrDataBlocks: 8,
    nrMetadataBlocks: 64,
    holes: 'none',
    skipBlockZeroing: false,
    originSectors: 0,
    waitsForSpace: false,
    limit: 9,
    seed: 1,
  };

  test('nothing where nothing is wrong', async () => {
    expect((await crashPool(each)).problem).toBeUndefined();
  });

  test.each(['inc', 'dec'] as const)('that %s of a reference count is skipped', async (name) => {
    skipCounts(name);
    expect((await crashPool(each)).problem).toBeDefined();
  });

  test('a superblock that is written first', async () => {
    const wrapMetadata = (device: BlockDevice) => new SuperblockFirst(device);
    expect((await crashPool({ ...each, wrapMetadata })).problem).toMatch(/metadata crash point/);
  });
});

test('the crash harness of the Store catches that the checksums of a proof are not verified', async () => {
  const script = randomStoreScript(new Random(3), 30, 300);
  const each = { script, options: { journalBlocks: 4, cacheBytes: 131_072 }, limit: 60, seed: 1 };
  vi.spyOn(Journal.prototype, 'proofEntries').mockImplementation(function* () {
    yield* [];
    return undefined;
  });
  expect((await crashStore(each)).problem).toBeDefined();
});

test('the harness of killed processes catches what was acknowledged and never written', async () => {
  const { execArgv } = process;
  // The victim is a process of its own, which runs the sources: it has to be told where they are, and what to load first.
  vi.stubEnv('TSX_TSCONFIG_PATH', join(import.meta.dirname, '../tsconfig.sources.json'));
  process.execArgv = ['--import', 'tsx', '--import', join(import.meta.dirname, 'forgetful-victim.ts')];
  try {
    for (const index of [0, 1]) {
      const failure = await firstFailure((run) => SIGKILL.run({ ...run, index }), 30);
      expect(failure, index === 0 ? 'thin' : 'store').toMatch(
        /holds what it must not|opening|Cannot open store|the check finds/,
      );
    }
  } finally {
    process.execArgv = execArgv;
  }
}, 300_000);
