/** `era_generate_damage`: damages era metadata, for tests. */

import { checkEra } from 'persistent-data/era';
import { FileDevice } from 'persistent-data/io';
import { damageEra, ERA_DAMAGES, EraPatient, Random } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  const kind = ERA_DAMAGES.find((name) => name === args.text('kind')) ?? 'leak';
  const path = args.required('output');
  openMetadataInput(path, false).close();
  const device = FileDevice.open(path);
  try {
    // What is not sound cannot be looked through for something to damage.
    for (const { message } of checkEra(device)) throw new Error(`Cannot damage metadata that is not sound: ${message}`);
    const seed = args.number('seed') ?? 1;
    const description = damageEra(new EraPatient(device), device, kind, new Random(seed));
    if (description === undefined)
      throw new Error(`Cannot do damage of kind ${kind}: there is nothing that it fits to`);
    device.flush();
    if (args.has('json')) printJson({ version: 1, kind, seed, description });
    else writeStdout(`${description}\n`);
  } finally {
    device.close();
  }
  return EXIT.ok;
}
