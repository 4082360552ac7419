/** A Store's disk loses power at any moment: what opens is what was committed. And a store that skips a flush is caught. */

import { expect, test } from 'vitest';
import { runStoreScript } from './store-crash.ts';

const seeds = process.env.PDATA_SEED ? [Number(process.env.PDATA_SEED)] : [1, 2, 3, 4, 5, 6, 7, 8];

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
  for (let index = 3; index < 40; index += 3) {
    const { failure } = await runStoreScript({ seed: index, dropFlush: (i) => i === index, check: false });
    if (failure !== undefined) nrCaught++;
  }
  expect(nrCaught).toBeGreaterThan(8);
}, 60_000);
