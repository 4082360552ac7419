/** `thin_restore`: builds metadata out of XML. */

import { readThinXmlAsync, ThinRestore } from 'persistent-data/thin';
import type { Arguments } from '../arguments.ts';
import { runRestore } from '../restore-command.ts';

export function run(args: Arguments): Promise<number> {
  const transaction = args.text('transaction-id');
  const dataBlockSize = args.number('data-block-size');
  const nrDataBlocks = args.number('nr-data-blocks');
  const overrides = {
    ...(transaction === undefined ? {} : { transaction: BigInt(transaction) }),
    ...(dataBlockSize === undefined ? {} : { dataBlockSize }),
    ...(nrDataBlocks === undefined ? {} : { nrDataBlocks }),
  };
  return runRestore(args, (chunks, device) => readThinXmlAsync(chunks, new ThinRestore(device), { overrides }));
}
