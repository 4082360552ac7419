/** The table of the cache tools. */

import type { ToolFamily } from './family.ts';

export const CACHE: ToolFamily = {
  name: 'cache',
  defaultN: 1_000_000,
  inputs: {
    full: {
      // Every cache block is mapped, origin blocks in random order, a third of them dirty.
      xml: (n) => ['cache', n],
      restore: 'cache_restore',
      bytes: (n) => 4096 * Math.ceil(1024 + n / 250),
    },
  },
  rows: [
    {
      name: 'restore',
      about: 'restore, n cache blocks',
      call: 'cache_restore -i @full.xml -o @out',
      goal: 0.8,
      memoryGoalMib: 160,
    },
    { name: 'dump', about: 'dump, the same', call: 'cache_dump @full', goal: 0.6, memoryGoalMib: 128 },
    { name: 'check', about: 'check, the same', call: 'cache_check @full', goalMs: 250, memoryGoalMib: 128 },
    { name: 'repair', about: 'repair, the same', call: 'cache_repair -i @full -o @out' },
  ],
};
