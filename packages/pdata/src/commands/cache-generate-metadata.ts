/** `cache_generate_metadata`: a cache of a given shape, for tests and measurements. */

import { CacheRestore } from 'persistent-data/cache';
import { FileDevice } from 'persistent-data/io';
import { generateCache } from 'persistent-data/testing';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { checkOutputFile } from '../files.ts';
import { printJson } from '../print-json.ts';

export function run(args: Arguments): number {
  const output = args.required('output');
  checkOutputFile(output);
  const nrCacheBlocks = args.number('nr-cache-blocks') ?? 1000;
  const nrMappings = args.number('nr-mappings') ?? nrCacheBlocks;
  const nrOriginBlocks = args.number('nr-origin-blocks') ?? 2 * nrCacheBlocks;
  const metadataVersion = args.text('metadata-version') === '1' ? 1 : 2;
  const device = FileDevice.open(output);
  try {
    const restore = new CacheRestore(device, { version: metadataVersion, omitCleanShutdown: args.has('unclean') });
    const percentDirty = args.number('percent-dirty') ?? 33;
    const seed = args.number('seed') ?? 1;
    const fragmented = args.has('fragmented');
    generateCache({ nrCacheBlocks, nrMappings, nrOriginBlocks, percentDirty, fragmented, seed }, restore);
  } finally {
    device.close();
  }
  if (args.has('json')) printJson({ version: 1, output, metadataVersion, nrCacheBlocks, nrMappings, nrOriginBlocks });
  return EXIT.ok;
}
