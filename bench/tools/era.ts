/** The table of the era tools. */

import type { ToolFamily } from './family.ts';

export const ERA: ToolFamily = {
  name: 'era',
  defaultN: 1_000_000,
  inputs: {
    full: {
      // Three archived writesets in which every eighth block was written, at random, and an era for every block.
      xml: (n) => ['era', n, 3],
      restore: 'era_restore',
      bytes: (n) => 4096 * Math.ceil(1024 + n / 250),
    },
  },
  rows: [
    {
      name: 'restore',
      about: 'restore, n blocks, 3 writesets',
      call: 'era_restore -i @full.xml -o @out',
      goal: 0.8,
      memoryGoalMib: 128,
    },
    { name: 'dump', about: 'dump, the same', call: 'era_dump @full', goal: 0.6, memoryGoalMib: 96 },
    { name: 'logical', about: 'dump --logical, the same', call: 'era_dump --logical @full' },
    { name: 'check', about: 'check, the same', call: 'era_check @full', goalMs: 200, memoryGoalMib: 96 },
    { name: 'invalidate', about: 'what was written since', call: 'era_invalidate --written-since 21 @full' },
    { name: 'repair', about: 'repair, the same', call: 'era_repair -i @full -o @out' },
  ],
};
