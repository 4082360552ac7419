/** A Store's disk loses power at any moment: what opens is what was committed. And a store that skips a flush is caught. */

import { Store, u64 } from 'persistent-data/store';
import { CrashDevice, type CrashPoint } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { contentOf, runStoreScript } from './store-crash.ts';

const seeds = process.env.PDATA_SEED ? [Number(process.env.PDATA_SEED)] : [1, 2, 3, 4];

test.each(seeds)(
  'after a crash a store is as a commit left it (npm run test:crash -- --seed %d)',
  async (seed) => {
    const { failure, nrStates } = await runStoreScript({ seed, journalBlocks: seed % 2 === 0 ? 4 : 16 });
    expect(failure).toBeUndefined();
    expect(nrStates).toBeGreaterThan(100);
  },
  60_000,
);

test('the same at every write, also where nothing is flushed', async () => {
  const { failure } = await runStoreScript({ seed: 100, everyWrites: 1, nrSteps: 12, statesPerPoint: 4 });
  expect(failure).toBeUndefined();
}, 60_000);

test('negative control: a dropped flush is caught', async () => {
  let nrCaught = 0;
  for (let index = 3; index < 40; index += 6) {
    const { failure } = await runStoreScript({ seed: index, dropFlush: (i) => i === index, check: false });
    if (failure !== undefined) nrCaught++;
  }
  expect(nrCaught).toBeGreaterThan(3);
}, 60_000);

const OPTIONS = { journalBlocks: 4, cacheBytes: 32 * 4096 };

/** A store on a disk whose asynchronous flushes wait, with a checkpoint that was written and not flushed; and what each state may be. */
async function withCheckpointOnItsWay() {
  const expected: string[] = [];
  const look = (point: CrashPoint): void => {
    for (const state of point.states({ limit: 60, seed: 3 })) {
      const store = Store.open(state.open(), OPTIONS);
      if (!expected.includes(contentOf(store))) throw new Error(`a state of no commit: ${point}; ${state}`);
    }
  };
  let isLooking = false;
  const device = new CrashDevice({
    nrBlocks: 0,
    asyncFlush: 'held',
    everyWrites: 1,
    onCrashPoint: (point) => isLooking && look(point),
  });
  const store = Store.open(device, OPTIONS);
  const tree = store.tree('t', { value: u64 });
  store.transact(() => tree.setMany(Array.from({ length: 2000 }, (_, i): [number, number] => [i, 1])));
  expected.push(contentOf(store));
  const { generation } = store.statistics;
  const commit = store.transactAsync(() =>
    tree.setMany(Array.from({ length: 2000 }, (_, i): [number, number] => [i, 2])),
  );
  expected.push(contentOf(store));
  for (let turn = 0; turn < 20; turn++) await undefined;
  expect(store.statistics.generation).toBe(generation + 1);
  isLooking = true;
  return { device, store, tree, commit, expected };
}

test('a killed process leaves what is not durable: the next life makes it so before it builds on it', async () => {
  const { device } = await withCheckpointOnItsWay();
  const next = Store.open(device, OPTIONS);
  next.begin();
  const tree = next.tree('t', { value: u64 });
  // More than fits into the cache, so that blocks are written early, over those that only the checkpoint before uses.
  for (let i = 0; i < 6000; i++) tree.set(i * 3, 3);
  next.rollback();
  expect(device.nrOpen).toBeGreaterThan(0);
});

test('a record is written only when its checkpoint is durable', async () => {
  const { device, store, tree, commit, expected } = await withCheckpointOnItsWay();
  store.begin();
  tree.set(1, 5);
  expected.push(contentOf(store));
  store.commit();
  device.finishFlush();
  await commit;
});
