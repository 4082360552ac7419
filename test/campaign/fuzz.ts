import type { Campaign, Run } from './campaign.ts';
import { runStoreFuzz } from './fuzz-store.ts';
import { runThinFuzz } from './fuzz-thin.ts';

/** One image in so many is of a store. */
const STORE_EVERY = 5;

/** Nothing that a file holds leads to a hang, to memory without bounds, or to an error that is not of this library's kinds. */
export const FUZZ: Campaign = {
  name: 'fuzz',
  states: 'images',
  // An input has five seconds, which the run itself sees to; this is for one that never ends.
  hangSeconds: 20,
  heapMb: 512,
  ci: { states: 50_000 },
  run: (run: Run) => (run.index % STORE_EVERY === STORE_EVERY - 1 ? runStoreFuzz(run) : runThinFuzz(run)),
};
