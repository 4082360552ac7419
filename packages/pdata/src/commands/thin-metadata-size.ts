/** `thin_metadata_size`: how large a metadata device has to be. */

import { thinMetadataBytes } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { printJson } from '../print-json.ts';
import { formatAmount, parseSize, unitOf } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

export function run(args: Arguments): number {
  const shape = {
    blockBytes: parseSize(args.required('block-size'), '--block-size <SIZE[bskmg]>'),
    poolBytes: parseSize(args.required('pool-size'), '--pool-size <SIZE[bskmgtp]>'),
    maxThins: args.number('max-thins') ?? 0,
  };
  const letter = args.text('unit') ?? 's';
  const unit = unitOf(letter, '--unit <UNIT>');
  const bytes = thinMetadataBytes(shape);
  if (args.has('json')) {
    printJson({ version: 1, bytes });
    return EXIT.ok;
  }
  const amount = formatAmount(bytes / unit.bytes);
  const style = args.has('numeric-only') ? (args.text('numeric-only') ?? 'plain') : 'sentence';
  const text = { plain: amount, short: `${amount}${letter}`, long: `${amount}${unit.name}` }[style];
  writeStdout(`${text ?? `${amount} ${unit.name}`}\n`);
  return EXIT.ok;
}
