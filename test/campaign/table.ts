/** All campaigns. */

import type { Campaign } from './campaign.ts';
import { CLI } from './cli.ts';
import { CRASH, CRASH_STORE } from './crash.ts';
import { CRASH_ERA } from './crash-era.ts';
import { CRASH_POOL } from './crash-pool.ts';
import { DIFFERENTIAL } from './differential.ts';
import { ENOSPC } from './enospc.ts';
import { FAULT } from './fault.ts';
import { FUZZ } from './fuzz.ts';
import { KERNEL } from './kernel.ts';
import { LIES } from './lies.ts';
import { MODEL } from './model.ts';
import { MODEL_STORE } from './model-store.ts';
import { SIGKILL } from './sigkill.ts';

export const CAMPAIGNS: readonly Campaign[] = [
  CRASH,
  CRASH_STORE,
  CRASH_POOL,
  CRASH_ERA,
  MODEL,
  MODEL_STORE,
  FAULT,
  LIES,
  ENOSPC,
  FUZZ,
  CLI,
  DIFFERENTIAL,
  SIGKILL,
  KERNEL,
];

/** @throws {Error} when there is none of this name. */
export function campaignNamed(name: string): Campaign {
  const found = CAMPAIGNS.find((campaign) => campaign.name === name);
  if (found === undefined) {
    throw new Error(
      `there is no campaign "${name}": ${CAMPAIGNS.map((campaign) => campaign.name).join(', ')} are there`,
    );
  }
  return found;
}
