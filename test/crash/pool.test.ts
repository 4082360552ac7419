/** The three disks of a pool with names lose power together, at any moment: no name is without a volume, and no volume without a name. */

import { expect, test } from 'vitest';
import { runPoolScript, type StepKind } from './pool-crash.ts';

const seeds = process.env.PDATA_SEED ? [Number(process.env.PDATA_SEED)] : [1, 2, 3];

test.each(seeds)(
  'after a crash names and volumes are as a change has left them (npm run test:crash -- --seed %d)',
  async (seed) => {
    const { failure, nrStates } = await runPoolScript({ seed });
    expect(failure).toBeUndefined();
    expect(nrStates).toBeGreaterThan(200);
  },
  60_000,
);

/** Each intent that the registry knows, on volumes that share blocks. */
const EACH_INTENT: readonly StepKind[] = [
  ...(['create', 'write', 'snapshot', 'write', 'clone', 'rename', 'protect', 'rollback', 'create', 'merge'] as const),
  'delete',
];

test('power may fail at every write of each change of names, with the registry in every state that leaves', async () => {
  const { failure, nrPoints, nrStates, done } = await runPoolScript({
    seed: 2,
    kinds: EACH_INTENT,
    isExhaustive: true,
  });
  expect(failure).toBeUndefined();
  expect(done).toEqual(new Set(EACH_INTENT));
  expect(nrPoints).toBeGreaterThan(100);
  expect(nrStates).toBeGreaterThan(500);
}, 600_000);

test('negative control: every state of the registry shows a change of names that is durable too late', async () => {
  const dropFlush = { disk: 'registry' as const, isDropped: (index: number) => index % 2 === 0 };
  const { failure } = await runPoolScript({ seed: 2, kinds: EACH_INTENT, isExhaustive: true, dropFlush });
  expect(failure).toBeDefined();
}, 600_000);

test.each(['metadata', 'data', 'registry'] as const)(
  'negative control: flushes that the disk of the %s drops are caught',
  async (disk) => {
    let nrCaught = 0;
    for (let seed = 10; seed < 13; seed++) {
      const isDropped = (index: number): boolean => index > 6;
      const { failure } = await runPoolScript({ seed, dropFlush: { disk, isDropped }, nrSteps: 16 });
      if (failure !== undefined) nrCaught++;
    }
    expect(nrCaught).toBeGreaterThan(0);
  },
  60_000,
);
