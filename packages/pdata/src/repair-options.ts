/** Options of all that repairs: what a damaged superblock cannot tell, and which roots to take. */

import type { RepairOptions } from 'persistent-data/thin';
import type { Arguments } from './arguments.ts';
import { UsageError } from './usage-error.ts';

/** @throws {UsageError} when `--choose` is no block number, or two of them. */
export function repairOptions(args: Arguments): RepairOptions {
  const transactionId = args.text('transaction-id');
  const dataBlockSizeSectors = args.number('data-block-size');
  const nrDataBlocks = args.number('nr-data-blocks');
  return {
    overrides: {
      ...(transactionId === undefined ? {} : { transactionId: BigInt(transactionId) }),
      ...(dataBlockSizeSectors === undefined ? {} : { dataBlockSizeSectors }),
      ...(nrDataBlocks === undefined ? {} : { nrDataBlocks }),
    },
    ...chosenRoots(args.text('choose')),
  };
}

function chosenRoots(text: string | undefined): Pick<RepairOptions, 'mappingRoot' | 'detailsRoot'> {
  if (text === undefined) return {};
  const found = /^(\d+)(?:,(\d+))?$/.exec(text);
  if (found === null) {
    throw new UsageError(`invalid value '${text}' for '--choose <ROOT[,ROOT]>': one or two block numbers are wanted`);
  }
  const mappingRoot = Number(found[1]);
  return found[2] === undefined ? { mappingRoot } : { mappingRoot, detailsRoot: Number(found[2]) };
}
