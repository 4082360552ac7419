/** Scripts for a Store. */

import type { Random } from 'persistent-data/testing';

/**
 * One step, as plain data. Outside of `begin` and its end each change is a commit of its own. What makes no sense where it stands is skipped.
 *
 * - `set`, `unset`: so many keys from one on. `drop`: a whole tree. `element`: of an array; `bits`: of a bitset, both as long as needed.
 * - `commitAsync`, `await`: as for thin metadata.
 * - `compact`: where the player can.
 * - `checkpoint`: a check, which makes one first. `reopen`: close and open. `crash`: open again without closing.
 */
export type StoreStep =
  | readonly ['set', tree: number, key: number, count: number, value: number]
  | readonly ['unset', tree: number, key: number, count: number]
  | readonly ['drop', tree: number]
  | readonly ['element', index: number, value: number]
  | readonly ['bits', begin: number, count: number, value: 0 | 1]
  | readonly ['snapshot' | 'remove' | 'restore', name: number]
  | readonly [
      'begin' | 'commit' | 'commitAsync' | 'await' | 'rollback' | 'checkpoint' | 'compact' | 'reopen' | 'crash',
    ];

export type StoreScript = readonly StoreStep[];

const NR_TREES = 3;
const NR_SNAPSHOTS = 4;
const NR_KEYS = 4000;

const VERBS = {
  set: 30,
  unset: 10,
  drop: 1,
  element: 6,
  bits: 4,
  snapshot: 5,
  remove: 4,
  restore: 2,
  begin: 14,
  commit: 10,
  commitAsync: 5,
  await: 3,
  rollback: 3,
  checkpoint: 2,
  compact: 1,
  reopen: 2,
  crash: 1,
};

/** Draws a script. @param maxRun - The most keys that one step sets. */
export function randomStoreScript(random: Random, nrSteps: number, maxRun: number): StoreStep[] {
  const verbs = Object.entries(VERBS).flatMap(([verb, weight]) => Array<string>(weight).fill(verb));
  return Array.from({ length: nrSteps }, () => {
    const verb = random.pick(verbs) as StoreStep[0];
    const count = random.between(1, random.chance(0.3) ? maxRun : 8);
    switch (verb) {
      case 'set':
        return [verb, random.below(NR_TREES), random.below(NR_KEYS), count, random.below(2 ** 32)];
      case 'unset':
        return [verb, random.below(NR_TREES), random.below(NR_KEYS), 4 * count];
      case 'drop':
        return [verb, random.below(NR_TREES)];
      case 'element':
        return [verb, random.below(random.pick([20, 3000])), random.below(2 ** 32)];
      case 'bits':
        return [verb, random.below(random.pick([100, 40_000])), 10 * count, random.chance(0.6) ? 1 : 0];
      case 'snapshot':
      case 'remove':
      case 'restore':
        return [verb, random.below(NR_SNAPSHOTS)];
      default:
        return [verb];
    }
  });
}
