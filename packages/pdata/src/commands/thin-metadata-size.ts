/** `thin_metadata_size`: how large a metadata device has to be. */

import { thinMetadataBytes } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { printAmount } from '../print-amount.ts';
import { parseSize } from '../size-text.ts';

export function run(args: Arguments): number {
  const shape = {
    blockBytes: parseSize(args.required('block-size'), '--block-size <SIZE[bskmg]>'),
    poolBytes: parseSize(args.required('pool-size'), '--pool-size <SIZE[bskmgtp]>'),
    maxThins: args.number('max-thins') ?? 0,
  };
  printAmount(() => thinMetadataBytes(shape), args);
  return EXIT.ok;
}
