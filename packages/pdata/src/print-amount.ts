/** How `thin_metadata_size` and `cache_metadata_size` print their answer. */

import type { Arguments } from './arguments.ts';
import { printJson } from './print-json.ts';
import { formatAmount, unitOf } from './size-text.ts';
import { writeStdout } from './standard-output.ts';

/** Prints a size in the unit of `--unit`, with its name unless `--numeric-only` says otherwise. @throws {UsageError} when there is no such unit. */
export function printAmount(bytes: () => number, args: Arguments): void {
  const letter = args.text('unit') ?? 's';
  const unit = unitOf(letter, '--unit <UNIT>');
  const size = bytes();
  if (args.has('json')) {
    printJson({ version: 1, bytes: size });
    return;
  }
  const amount = formatAmount(size / unit.bytes);
  const style = args.has('numeric-only') ? (args.text('numeric-only') ?? 'plain') : 'sentence';
  const text = { plain: amount, short: `${amount}${letter}`, long: `${amount}${unit.name}` }[style];
  writeStdout(`${text ?? `${amount} ${unit.name}`}\n`);
}
