/** `cache_metadata_size`: how large a metadata device has to be. */

import { cacheBlocksOf, cacheMetadataBytes } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { printAmount } from '../print-amount.ts';
import { parseSize } from '../size-text.ts';
import { UsageError } from '../usage-error.ts';

export function run(args: Arguments): number {
  const nrBlocks = blocksFrom(args);
  printAmount(() => cacheMetadataBytes(nrBlocks, args.number('max-hint-width')), args);
  return EXIT.ok;
}

function blocksFrom(args: Arguments): number {
  const given = args.number('nr-blocks');
  if (given !== undefined) return given;
  const device = args.text('device-size');
  const block = args.text('block-size');
  if (device === undefined && block === undefined) {
    throw new Error('Please specify either --device-size and --block-size, or --nr-blocks.');
  }
  if (device === undefined || block === undefined) {
    const missing = device === undefined ? '--device-size <SIZE[bskmgtp]>' : '--block-size <SIZE[bskmg]>';
    throw new UsageError(`the following required arguments were not provided:\n  ${missing}`);
  }
  return cacheBlocksOf(
    parseSize(device, '--device-size <SIZE[bskmgtp]>'),
    parseSize(block, '--block-size <SIZE[bskmg]>'),
  );
}
