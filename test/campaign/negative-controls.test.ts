/** Each harness is shown to catch what it is there for: programs and disks that are wrong in one way, put together here and nowhere else. */

import { KeptVersions } from 'persistent-data/disk-space-map';
import { NODE_VALIDATOR } from 'persistent-data/format';
import { type BlockDevice, MemoryDevice } from 'persistent-data/io';
import { Store, u32 } from 'persistent-data/store';
import {
  auditThin,
  expectSame,
  FaultDevice,
  makeStore,
  Random,
  randomThinScript,
  StorePatient,
  ThinPlayer,
  type ThinScript,
} from 'persistent-data/testing';
import { checkThin, type ThinMetadata } from 'persistent-data/thin';
import { TransactionManager } from 'persistent-data/transaction-manager';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { crashStore } from './crash-store.ts';
import { crashThin, type ThinCrashCase } from './crash-thin.ts';
import { bitRotProblem } from './fault.ts';
import { lieVerdict, type Subject } from './lies.ts';
import { randomStoreScript, type StoreScript } from './store-script.ts';
import { SuperblockFirst } from './superblock-first.ts';
import { DATA_BLOCK_SECTORS } from './thin-pool.ts';

const SIZES = { nrMetadataBlocks: 64, nrDataBlocks: 500 };
const OPTIONS = { ...SIZES, dataBlockSizeSectors: DATA_BLOCK_SECTORS, cacheBlocks: 64 };

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
  ['create', 3],
  ['discard', 0, 5, 9],
  ['commit'],
  ['create', 4],
  ['commit'],
];

/** Runs the crash harness on a script with something wrong. */
async function crash(wrong: Partial<ThinCrashCase>): Promise<string | undefined> {
  const { problem } = await crashThin({ ...SIZES, script: SCRIPT, limit: 200, seed: 1, options: OPTIONS, ...wrong });
  return problem;
}

afterEach(() => vi.restoreAllMocks());

test('with nothing wrong no harness finds anything', async () => {
  expect(await crash({})).toBeUndefined();
});

test.each([0, 1, 2, 3])('the crash harness catches that flush %i is dropped', async (dropped) => {
  expect(await crash({ device: { dropFlush: (index) => index === dropped } })).toMatch(/crash point/);
});

test('the crash harness catches a superblock that is written first', async () => {
  expect(await crash({ wrap: (device) => new SuperblockFirst(device) })).toMatch(/crash point/);
});

test('the crash harness catches that blocks of the last commit are allocated', async () => {
  // Nothing but the current version counts for the search of a free block.
  vi.spyOn(KeptVersions.prototype, 'with').mockReturnValue([]);
  expect(await crash({})).toMatch(/crash point/);
});

test.each(['inc', 'dec'] as const)(
  'the crash harness catches that one %s of a reference count is skipped',
  async (name) => {
    const skipOne = ({ core: { tm } }: ThinMetadata): void => {
      vi.spyOn(tm, name).mockImplementationOnce(() => undefined);
    };
    expect(await crash({ options: { ...OPTIONS, onOpen: skipOne } })).toMatch(/crash point/);
  },
);

test('the player catches that a data block of the last commit is allocated', async () => {
  vi.spyOn(KeptVersions.prototype, 'with').mockReturnValue([]);
  const script: ThinScript = [
    ['create', 0],
    ['write', 0, 1],
    ['commit'],
    ['reopen'],
    ['discard', 0, 0, 9],
    ['write', 0, 2],
  ];
  const device = new MemoryDevice({ nrBlocks: 64 });
  const player = ThinPlayer.format(device, OPTIONS);
  await expect(player.playAll(script)).rejects.toThrow('a commit or the pool still uses it');
});

test.each(['inc', 'dec'] as const)(
  'audit and check catch that one %s of a reference count is skipped',
  async (name) => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    const skipOne = ({ core: { tm } }: ThinMetadata): void => {
      vi.spyOn(tm, name).mockImplementationOnce(() => undefined);
    };
    const player = ThinPlayer.format(device, { ...OPTIONS, onOpen: skipOne });
    await player.playAll([
      ['create', 0],
      ['writeRun', 0, 0, 20],
      ['hold'],
      ['snapshot', 1, 0],
      ['release'],
      ['create', 5],
      ['commit'],
    ]);
    expect(auditThin(device).problems).not.toEqual([]);
    expect([...checkThin(device)]).not.toEqual([]);
  },
);

test('the fault harness catches that the checksum of nodes is not verified', async () => {
  const search = async (): Promise<string | undefined> => {
    const random = new Random(1);
    for (let i = 0; i < 150; i += 1) {
      const script = randomThinScript(random, { nrSteps: 30 });
      const problem = await bitRotProblem(
        { script, options: { ...OPTIONS, nrMetadataBlocks: 128, cacheBlocks: 32 } },
        random,
      );
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
  expect(await search()).toBeUndefined();
  vi.spyOn(NODE_VALIDATOR, 'check').mockImplementation(() => undefined);
  expect(await search()).toMatch(/^bit \d+ of block \d+ is wrong: /);
});

/** A program without checksums: it writes eight blocks, and may read them back. */
function trustful(readsBack: boolean): Subject {
  const blank = () => new MemoryDevice({ nrBlocks: 8 });
  const look = (device: BlockDevice): string => {
    const block = new Uint8Array(4096);
    const found: number[] = [];
    for (let at = 0; at < 8; at += 1) {
      device.read(at, [block]);
      found.push(block[100] as number);
    }
    return found.join();
  };
  return {
    blank,
    look,
    async play(device, noteStates) {
      noteStates(() => ['0,0,0,0,0,0,0,0', '1,2,3,4,5,6,7,8']);
      for (let at = 0; at < 8; at += 1) device.write(at, [new Uint8Array(4096).fill(at + 1)]);
      device.flush();
      if (readsBack) expectSame(look(device), '1,2,3,4,5,6,7,8', 'what was written');
    },
  };
}

test.each([
  [true, /^a wrong answer, for no credible lie/],
  [false, /^the check finds nothing, and it holds what never was committed/],
])('the harness of lies catches a program that verifies nothing, reading back: %s', async (readsBack, wanted) => {
  const subject = trustful(readsBack);
  expect(await lieVerdict(subject, { kind: 'lostWrite', at: 99 })).toEqual({ outcome: 'harmless' });
  expect((await lieVerdict(subject, { kind: 'lostWrite', at: 3 })).problem).toMatch(wanted);
  expect((await lieVerdict(subject, { kind: 'misdirectedWrite', at: 3, to: 1 })).problem).toMatch(wanted);
});

test('the crash harness of the Store catches that a flush is dropped', async () => {
  const script = randomStoreScript(new Random(3), 12, 300);
  const each = { script, options: { journalBlocks: 4, cacheBytes: 131072 }, limit: 30, seed: 1 };
  expect((await crashStore(each)).problem).toBeUndefined();
  let nrCaught = 0;
  for (const dropped of [1, 2, 3, 4, 5]) {
    const device = { dropFlush: (index: number) => index === dropped };
    if ((await crashStore({ ...each, device })).problem !== undefined) nrCaught += 1;
  }
  expect(nrCaught).toBeGreaterThan(0);
});

test('the crash harness of the Store catches a compact copy that is put in place before it is durable', async () => {
  const script: StoreScript = [
    ['set', 0, 1, 300, 5],
    ['snapshot', 1],
    ['unset', 0, 40, 100],
    ['compact'],
    ['set', 1, 1, 3, 7],
  ];
  const each = { script, options: { journalBlocks: 4, cacheBytes: 131072 }, limit: 30, seed: 1 };
  expect(await crashStore(each)).toMatchObject({ problem: undefined, nrCompactions: 1 });
  const { problem } = await crashStore({ ...each, copy: { dropFlush: () => true } });
  expect(problem).toMatch(/after the file was replaced/);
});

describe('the harnesses of the Store', () => {
  const each = {
    script: randomStoreScript(new Random(3), 30, 300),
    options: { journalBlocks: 4, cacheBytes: 131072 },
    limit: 30,
    seed: 1,
  };

  test('catch that blocks of the last checkpoint are allocated', async () => {
    vi.spyOn(KeptVersions.prototype, 'with').mockReturnValue([]);
    expect((await crashStore(each)).problem).toBeDefined();
  });

  test.each(['inc', 'dec'] as const)('catch that %s of a reference count is skipped now and then', async (name) => {
    let nrCalls = 0;
    const original = TransactionManager.prototype[name];
    vi.spyOn(TransactionManager.prototype, name).mockImplementation(function (this: TransactionManager, block: number) {
      nrCalls += 1;
      if (nrCalls % 3 !== 0) original.call(this, block);
    });
    const script: StoreScript = [
      ['set', 0, 1, 3000, 5],
      ['snapshot', 1],
      ['set', 0, 40, 1, 7],
      ['snapshot', 2],
      ['set', 0, 1500, 1, 7],
      ['remove', 1],
      ['unset', 0, 1, 3000],
      ['remove', 2],
      ['checkpoint'],
    ];
    const { problem } = await crashStore({ ...each, script });
    expect([nrCalls, problem]).toEqual([expect.anything(), expect.stringMatching(/check finds|count/)]);
    expect(nrCalls).toBeGreaterThan(3);
  });

  test('catch that the checksum of nodes is not verified', () => {
    const device = makeStore({
      collections: [{ name: 't', kind: 'tree', length: 3000 }],
      options: { journalBlocks: 4 },
    });
    const [leaf = 0] = new StorePatient(device).nodesWith(100, false);
    /** What a look at all of a tree says, with a wrong bit in one of its values. */
    const look = (): string => {
      const faults = [{ kind: 'bitRot' as const, block: leaf, bit: 8 * 4000 }];
      const store = Store.open(new FaultDevice(device, { faults }), { readOnly: true });
      try {
        return [...store.tree('t', { value: u32 })].every(([key, value]) => key === value) ? 'right' : 'wrong';
      } catch (error) {
        return (error as Error).name;
      }
    };
    expect(look()).toBe('CorruptionError');
    vi.spyOn(NODE_VALIDATOR, 'check').mockImplementation(() => undefined);
    expect(look()).toBe('wrong');
  });
});
