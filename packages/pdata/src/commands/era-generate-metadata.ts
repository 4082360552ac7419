/** `era_generate_metadata`: era metadata of a given shape, for tests and measurements. */

import { FileDevice } from 'persistent-data/io';
import { generateEra, Random } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { checkOutputFile } from '../files.ts';
import { printJson } from '../print-json.ts';
import { UsageError } from '../usage-error.ts';

export function run(args: Arguments): number {
  const output = args.required('output');
  const percent = args.number('percent') ?? 10;
  if (percent > 100) {
    throw new UsageError(`invalid value '${percent}' for '--percent <NUM>': at most 100 is wanted`);
  }
  checkOutputFile(output);
  const shape = {
    blockSize: args.number('block-size') ?? 128,
    nrBlocks: args.number('nr-blocks') ?? 10_000,
    nrWritesets: args.number('nr-writesets') ?? 3,
  };
  const device = FileDevice.open(output);
  try {
    generateEra(device, { ...shape, share: percent / 100 }, new Random(args.number('seed') ?? 1));
  } finally {
    device.close();
  }
  if (args.has('json')) printJson({ version: 1, output, ...shape });
  return EXIT.ok;
}
