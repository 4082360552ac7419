import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { checkThin } from '../thin/index.ts';
import { Random } from './random.ts';
import { auditThin } from './thin-audit.ts';
import { damageThin, THIN_DAMAGES, ThinPatient } from './thin-damage.ts';
import { ThinPlayer } from './thin-player.ts';
import { randomThinScript } from './thin-script.ts';

async function soundPool(seed: number): Promise<MemoryDevice> {
  const device = new MemoryDevice({ nrBlocks: 128 });
  const player = ThinPlayer.format(device, { dataBlockSizeSectors: 128, nrDataBlocks: 3000 });
  const shape = { nrSteps: 60, maxWrite: 200, nrVirtualBlocks: 3000, weights: { discard: 1, delete: 1 } };
  await player.playAll([...randomThinScript(new Random(seed), shape), ['commit']]);
  return device;
}

test.each(THIN_DAMAGES)('damage of the kind %s is done, and is found by the check and by the audit', async (kind) => {
  let nrDone = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const device = await soundPool(seed);
    const patient = new ThinPatient(device);
    expect(patient.audit.problems).toEqual([]);
    for (let i = 0; i < 5; i++) {
      const damaged = device.fork();
      const done = damageThin(patient, damaged, kind, new Random(seed * 100 + i));
      if (done === undefined) continue;
      nrDone++;
      const findings = [...checkThin(damaged)];
      expect(findings.length, `seed ${seed}.${i}: ${done}, check`).toBeGreaterThan(0);
      if (kind === 'leak')
        expect(
          findings.map(({ severity }) => severity),
          done,
        ).toEqual(['leak']);
      expect(auditThin(damaged).problems.length, `seed ${seed}.${i}: ${done}, audit`).toBeGreaterThan(0);
    }
    expect(auditThin(device).problems).toEqual([]);
  }
  expect(nrDone).toBeGreaterThan(3);
});
