import type { Campaign, Run } from './campaign.ts';
import { runStoreCrash } from './crash-store.ts';
import { runThinCrash } from './crash-thin.ts';

/** Every state that a loss of power may leave is sound, and no older than the last commit that was acknowledged. */
export const CRASH: Campaign = {
  name: 'crash',
  states: 'crash states',
  hangSeconds: 60,
  ci: { states: 20_000 },
  run: (run: Run) => runThinCrash(run),
};

/** The same for a Store. */
export const CRASH_STORE: Campaign = {
  name: 'crash-store',
  states: 'crash states',
  hangSeconds: 120,
  ci: { states: 20_000 },
  run: (run: Run) => runStoreCrash(run),
};
