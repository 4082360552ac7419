import { type Campaign, Failure, type Run } from './campaign.ts';
import { runStoreFuzz } from './fuzz-store.ts';
import { runThinFuzz } from './fuzz-thin.ts';

/** One image in so many is of a store. */
const STORE_EVERY = 5;

/** At its highest: what the worker takes without any image is a tenth of it, and no image is larger than 128 blocks. */
const MAX_RSS_KB = 2 ** 20;

/** Nothing that a file holds leads to a hang, to memory without bounds, or to an error that is not of this library's kinds. */
export const FUZZ: Campaign = {
  name: 'fuzz',
  states: 'images',
  // An input has five seconds, which the run itself sees to; this is for one that never ends.
  hangSeconds: 20,
  heapMb: 512,
  ci: { states: 50_000 },
  async run(run: Run): Promise<void> {
    await (run.index % STORE_EVERY === STORE_EVERY - 1 ? runStoreFuzz(run) : runThinFuzz(run));
    if (process.resourceUsage().maxRSS > MAX_RSS_KB) throw new Failure(`it took more than ${MAX_RSS_KB} KiB`, '');
  },
};
