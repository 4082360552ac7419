/** Era metadata against a plain array of eras, with a check of the device after each step. `npm run test:model -- --runs N --commands N` for more. */

import fc from 'fast-check';
import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { nrCommands, replay, timeLimit } from '../replay.ts';
import { EraPlayer } from '../structures/era-player.ts';

const PROFILES = {
  tiny: { nrMetadataBlocks: 80, nrBlocks: 70, maxBlocks: 200 },
  small: { nrMetadataBlocks: 160, nrBlocks: 1100, maxBlocks: 2200 },
  wide: { nrMetadataBlocks: 400, nrBlocks: 34_000, maxBlocks: 36_000 },
} as const;

test.each(Object.entries(PROFILES))(
  'what era metadata says is what was done: %s',
  (name, { nrMetadataBlocks, ...shape }) => {
    const property = fc.property(fc.nat(), (seed) => {
      const device = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
      const player = new EraPlayer(device, { ...shape, seed });
      const steps: string[] = [];
      // Looking at thousands of blocks takes longer than what they were marked with.
      const nrSteps = nrCommands(name === 'wide' ? 20 : 50);
      for (let i = 0; i < nrSteps; i++) {
        steps.push(player.step());
        if (name !== 'tiny' && i % 5 !== 4) continue;
        expect(player.problems(), `after ${steps.join(' ')}`).toEqual([]);
      }
      player.era.commit();
      expect(player.logicalProblems()).toEqual([]);
    });
    fc.assert(property, replay('model', name === 'wide' ? 3 : 12));
  },
  timeLimit(60_000),
);
