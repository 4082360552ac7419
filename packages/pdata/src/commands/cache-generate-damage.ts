/** `cache_generate_damage`: damages the metadata of a cache, for tests. */

import { FileDevice } from 'persistent-data/io';
import { CACHE_DAMAGES, damageCache, Random } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { openMetadataInput } from '../files.ts';
import { printJson } from '../print-json.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  const kind = CACHE_DAMAGES.find((name) => name === args.text('kind')) ?? 'leak';
  const path = args.required('output');
  openMetadataInput(path, false).close();
  const device = FileDevice.open(path);
  try {
    const seed = args.number('seed') ?? 1;
    const description = damageCache(device, kind, new Random(seed));
    if (description === undefined) {
      throw new Error(`Cannot do damage of kind ${kind}: the cache has nothing that it fits to`);
    }
    device.flush();
    if (args.has('json')) printJson({ version: 1, kind, seed, description });
    else writeStdout(`${description}\n`);
  } finally {
    device.close();
  }
  return EXIT.ok;
}
