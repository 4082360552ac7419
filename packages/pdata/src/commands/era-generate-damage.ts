/** `era_generate_damage`: damages era metadata, for tests. */

import { checkEra } from 'persistent-data/era';
import { damageEra, ERA_DAMAGES, EraPatient } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { runDamage } from '../damage-command.ts';

export function run(args: Arguments): number {
  return runDamage(args, {
    kinds: ERA_DAMAGES,
    damage: (device, kind, random) => {
      // What is not sound cannot be looked through for something to damage.
      for (const { message } of checkEra(device))
        throw new Error(`Cannot damage metadata that is not sound: ${message}`);
      return damageEra(new EraPatient(device), device, kind, random);
    },
    patientHas: 'there is',
  });
}
