/** Random pools for comparing tools: devices that share data, fragmented and not, with gaps, in several block sizes. */

import fc from 'fast-check';
import type { Mapping, WalkedDevice, WalkedPool } from '../golden/walk.ts';

const NR_DATA_BLOCKS = 20000;
const MAX_TIME = 9;

interface Run {
  readonly gap: number;
  readonly length: number;
  readonly jump: number;
  readonly time: number;
}

const run: fc.Arbitrary<Run> = fc.record({
  gap: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 300 })),
  length: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.integer({ min: 1, max: 400 })),
  jump: fc.oneof(fc.constant(0), fc.nat({ max: NR_DATA_BLOCKS - 1 })),
  time: fc.nat({ max: MAX_TIME }),
});

function mappingsOf(runs: readonly Run[]): Mapping[] {
  const mappings: Mapping[] = [];
  let [block, data] = [0, 0];
  for (const { gap, length, jump, time } of runs) {
    block += gap;
    data = (data + jump) % NR_DATA_BLOCKS;
    for (let i = 0; i < length; i += 1) mappings.push([block + i, (data + i) % NR_DATA_BLOCKS, time]);
    block += length;
    data += length;
  }
  return mappings;
}

/** A device of its own mappings, or (`base`) of another's with some changed. */
const device = fc.record({
  id: fc.nat({ max: 2 ** 24 - 1 }),
  runs: fc.array(run, { maxLength: 40 }),
  like: fc.option(fc.nat({ max: 5 })),
  creationTime: fc.nat({ max: MAX_TIME }),
  snapshottedTime: fc.nat({ max: MAX_TIME }),
  transactionId: fc.nat({ max: 1000 }),
});

/** Pools of up to eight devices. Many share whole stretches of mappings, as snapshots do. */
export const randomPool: fc.Arbitrary<WalkedPool> = fc
  .record({
    blockSectors: fc.constantFrom(128, 256, 2048, 2097152),
    transactionId: fc.nat({ max: 1000 }),
    devices: fc.uniqueArray(device, { maxLength: 8, selector: ({ id }) => id }),
  })
  .map(({ blockSectors, transactionId, devices }) => {
    const made: WalkedDevice[] = [];
    for (const { id, runs, like, ...details } of devices) {
      const base = like === null ? undefined : made[like];
      const mappings = base === undefined ? mappingsOf(runs) : base.mappings;
      made.push({ id, mappedBlocks: mappings.length, ...details, mappings });
    }
    made.sort((a, b) => a.id - b.id);
    return {
      time: MAX_TIME,
      transactionId,
      nrDataBlocks: NR_DATA_BLOCKS,
      dataBlockSizeSectors: blockSectors,
      devices: made,
    };
  });
