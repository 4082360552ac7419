/** The three disks of a pool with names lose power together, at any moment: no name is without a volume, and no volume without a name. */

import { expect, test } from 'vitest';
import { runPoolScript } from './pool-crash.ts';

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
