/** `thin_generate_metadata`: a pool of a given shape, for tests and measurements. */

import { FileDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';
import { MappingRuns, ThinRestore } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { checkOutputFile } from '../files.ts';
import { printJson } from '../print-json.ts';

/** Steps of a permutation that is easy to compute: block i goes to i * step mod n. */
function stepFor(nrBlocks: number, random: Random): number {
  const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
  let step = 1 + random.below(Math.max(1, nrBlocks - 1));
  while (greatestCommonDivisor(step, nrBlocks) !== 1) step = (step % nrBlocks) + 1;
  return step;
}

export function run(args: Arguments): number {
  const output = args.required('output');
  checkOutputFile(output);
  const nrDevices = args.number('nr-devices') ?? 1;
  const nrMappings = args.number('nr-mappings') ?? 1000;
  const nrSnapshots = args.number('nr-snapshots') ?? 0;
  const nrDataBlocks = Math.max(1, nrDevices * nrMappings);
  const random = new Random(args.number('seed') ?? 1);
  const step = args.has('fragmented') ? stepFor(nrDataBlocks, random) : 1;
  const device = FileDevice.open(output);
  try {
    const restore = new ThinRestore(device);
    restore.superblockBegin({ uuid: '', time: nrSnapshots, transaction: 1, dataBlockSize: 128, nrDataBlocks });
    const runs = new MappingRuns(restore);
    for (let i = 0; i < nrDevices; i++) {
      restore.defBegin(`device ${i}`);
      for (let block = 0; block < nrMappings; block++) {
        runs.add(block, ((i * nrMappings + block) * step) % nrDataBlocks, 0);
      }
      runs.flush();
      restore.defEnd();
    }
    for (let i = 0; i < nrDevices * (1 + nrSnapshots); i++) {
      const times = { transaction: 0, creationTime: Math.floor(i / nrDevices), snapTime: nrSnapshots };
      restore.deviceBegin({ devId: i, mappedBlocks: nrMappings, ...times });
      restore.ref(`device ${i % nrDevices}`);
      restore.deviceEnd();
    }
    restore.superblockEnd();
    if (args.has('json')) printJson({ version: 1, output, nrDevices: nrDevices * (1 + nrSnapshots), nrDataBlocks });
  } finally {
    device.close();
  }
  return EXIT.ok;
}
