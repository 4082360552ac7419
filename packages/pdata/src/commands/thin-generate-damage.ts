/** `thin_generate_damage`: damages the metadata of a pool, for tests. */

import { damageThin, THIN_DAMAGES, ThinPatient } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { runDamage } from '../damage-command.ts';

export function run(args: Arguments): number {
  return runDamage(args, {
    kinds: THIN_DAMAGES,
    damage: (device, kind, random) => damageThin(new ThinPatient(device), device, kind, random),
    patientHas: 'the pool has',
  });
}
