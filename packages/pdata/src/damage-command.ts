/** The skeleton of `thin_generate_damage`, `cache_generate_damage` and `era_generate_damage`: damages metadata in place, and says what was done. */

import { type BlockDevice, FileDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';
import type { Arguments } from './arguments.ts';
import { EXIT } from './command.ts';
import { openMetadataInput } from './files.ts';
import { printJson } from './print-json.ts';
import { writeStdout } from './standard-output.ts';

/** What differs from family to family. */
export interface DamageFamily<Kind extends string> {
  readonly kinds: readonly Kind[];
  /** Does damage of a kind, and describes it. `undefined`: there is nothing that it fits to. */
  damage(device: BlockDevice, kind: Kind, random: Random): unknown;
  /** Who has nothing that it fits to: `the pool has`. */
  readonly patientHas: string;
}

/** Damages as the command line says. */
export function runDamage<Kind extends string>(args: Arguments, family: DamageFamily<Kind | 'leak'>): number {
  const kind = family.kinds.find((name) => name === args.text('kind')) ?? 'leak';
  const path = args.required('output');
  openMetadataInput(path, false).close();
  const device = FileDevice.open(path);
  try {
    const seed = args.number('seed') ?? 1;
    const description = family.damage(device, kind, new Random(seed));
    if (description === undefined)
      throw new Error(`Cannot do damage of kind ${kind}: ${family.patientHas} nothing that it fits to`);
    device.flush();
    if (args.has('json')) printJson({ version: 1, kind, seed, description });
    else writeStdout(`${typeof description === 'string' ? description : kind}\n`);
  } finally {
    device.close();
  }
  return EXIT.ok;
}
