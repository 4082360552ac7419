/** `cache_generate_damage`: damages the metadata of a cache, for tests. */

import { CACHE_DAMAGES, damageCache } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { runDamage } from '../damage-command.ts';

export function run(args: Arguments): number {
  return runDamage(args, { kinds: CACHE_DAMAGES, damage: damageCache, patientHas: 'the cache has' });
}
