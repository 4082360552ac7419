/** The table of the thin tools. */

import type { ToolFamily, ToolInput } from './family.ts';

/** Room for `mappings` mappings and a pool's other trees, and some. */
function bytesFor(mappings: number): number {
  return 4096 * Math.ceil(20_000 + mappings / 60);
}

/** Single mappings over four devices, data blocks in random order. */
function fragmented(share: number): ToolInput {
  return {
    xml: (n) => ['thin-frag', n * share, 4],
    restore: 'thin_restore',
    bytes: (n) => bytesFor(n * share),
  };
}

const SNAPSHOT_MAPPINGS = 1_000_000;

export const THIN: ToolFamily = {
  name: 'thin',
  inputs: {
    frag: fragmented(1),
    tenth: fragmented(0.1),
    snaps: {
      xml: (n) => ['thin-snaps-def', Math.min(n, SNAPSHOT_MAPPINGS), 100],
      restore: 'thin_restore',
      bytes: (n) => bytesFor(Math.min(n, SNAPSHOT_MAPPINGS)),
    },
    tiny: { xml: () => ['thin-seq', 1000], restore: 'thin_restore', bytes: () => bytesFor(1000) },
  },
  rows: [
    { name: 'dump', about: 'dump, n fragmented mappings', call: 'thin_dump @frag', goal: 0.5 },
    {
      name: 'restore',
      about: 'restore, the same',
      call: 'thin_restore -i @frag.xml -o @out',
      goal: 0.4,
      memoryGoalMib: 256,
      slowForCpp: true,
    },
    { name: 'check', about: 'check, the same', call: 'thin_check @frag', goal: 1, memoryGoalMib: 200 },
    {
      name: 'check-snaps',
      about: 'check, 100 snapshots that share 1 M mappings',
      call: 'thin_check @snaps',
      goal: 1,
      slowForCpp: true,
    },
    {
      name: 'delta',
      about: 'delta of two devices of n / 4 mappings',
      call: 'thin_delta --snap1 1 --snap2 2 @frag',
      goal: 0.7,
    },
    { name: 'rmap', about: 'rmap of 1000 data blocks among n', call: 'thin_rmap --region 0..1000 @frag', goal: 1 },
    { name: 'ls', about: 'ls with exclusive blocks, n', call: 'thin_ls -o DEV,EXCLUSIVE_BLOCKS @frag', goal: 1 },
    { name: 'repair', about: 'repair, n / 10', call: 'thin_repair -i @tenth -o @out', goal: 0.6 },
    { name: 'pack', about: 'pack, n', call: 'thin_metadata_pack -i @frag -o @new' },
    { name: 'start', about: 'start-up: ls of a tiny pool', call: 'thin_ls -o DEV @tiny', aboveNodeMs: 50 },
  ],
};
