import type { Campaign, Run } from './campaign.ts';
import { runThinFuzz } from './fuzz-thin.ts';

/** Nothing that a file holds leads to a hang, to memory without bounds, or to an error that is not of this library's kinds. */
export const FUZZ: Campaign = {
  name: 'fuzz',
  states: 'images',
  // An input has five seconds, which the run itself sees to; this is for one that never ends.
  hangSeconds: 20,
  heapMb: 512,
  ci: { states: 50_000 },
  run: (run: Run) => runThinFuzz(run),
};
