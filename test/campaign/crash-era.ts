/** Era metadata on disks that lose power: no write whose mark was acknowledged is forgotten. */

import { playEraCrash } from '../crash/era-crash.ts';
import { type Campaign, Failure, type Run } from './campaign.ts';

/** The same as `test/crash/era.test.ts`, without an end. */
export const CRASH_ERA: Campaign = {
  name: 'crash-era',
  states: 'crash states',
  hangSeconds: 120,
  ci: { states: 3000 },
  run: ({ random, count, index }: Run) => {
    const isShort = index % 3 === 0;
    const script = {
      seed: random.uint32(),
      nrSteps: isShort ? 8 : 40,
      nrStates: isShort ? 40 : 6,
      ...(isShort ? { everyWrites: 1 } : {}),
    };
    const { failure, nrStates } = playEraCrash(script);
    count(nrStates);
    if (failure !== undefined) throw new Failure(failure, script);
  },
};
