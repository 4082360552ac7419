import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { Random } from './random.ts';
import { auditThin, describePool } from './thin-audit.ts';
import { ThinPlayer } from './thin-player.ts';
import { randomThinScript } from './thin-script.ts';

test('`auditThin()` finds nothing wrong with sound pools, and what the model says', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const device = new MemoryDevice({ nrBlocks: 128 });
    const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 500 });
    await player.playAll([
      ...randomThinScript(new Random(seed), { nrSteps: 120, maxDataBlocks: 700, maxMetadataBlocks: 200 }),
      ['commit'],
    ]);
    const audit = auditThin(device);
    expect(audit.problems, `seed ${seed}`).toEqual([]);
    expect(describePool(audit.pool!), `seed ${seed}`).toBe(player.model.describe());
  }
});

test('`auditThin()` says what is wrong with a device that is no pool', () => {
  expect(auditThin(new MemoryDevice({ nrBlocks: 0 })).pool).toBeUndefined();
  expect(auditThin(new MemoryDevice({ nrBlocks: 4 })).problems).toHaveLength(1);
});
