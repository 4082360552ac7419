/** Options that several of the tools have, in the words of the handbook. What differs is spread over them: `{ ...OUTPUT_DEVICE, help }`. */

import type { OptionSpec } from '../command.ts';

export const INPUT_DEVICE: OptionSpec = {
  long: 'input',
  short: 'i',
  value: 'FILE',
  required: true,
  help: 'Specify the input device',
};
export const INPUT_XML: OptionSpec = { ...INPUT_DEVICE, help: 'Specify the input xml' };

const OUTPUT = { long: 'output', short: 'o', value: 'FILE', help: 'Specify the output device' } as const;
export const OUTPUT_DEVICE: OptionSpec = { ...OUTPUT, required: true };
export const OUTPUT_UNLESS_PREVIEW: OptionSpec = { ...OUTPUT, requiredUnless: 'preview' };
export const OUTPUT_TEXT: OptionSpec = { ...OUTPUT, help: 'Specify the output file rather than stdout' };

/** Of a repair, which writes nothing then. */
export function preview(help: string): OptionSpec {
  return { long: 'preview', help: `Write nothing; ${help}`, conflicts: ['output'] };
}

export const REPAIR_WHILE_DUMPING: OptionSpec = {
  long: 'repair',
  short: 'r',
  help: 'Repair the metadata whilst dumping it',
};

/** Of a dump that writes XML or lines of JSON. */
export const TEXT_FORMATS: readonly OptionSpec[] = [
  { long: 'format', short: 'f', value: 'TYPE', choices: ['xml', 'ndjson'], help: 'Choose the output format' },
  { long: 'json', help: 'Print a JSON object a line, as --format ndjson' },
];

export const SUPERBLOCK_ONLY: OptionSpec = { long: 'super-block-only', help: 'Only check the superblock.' };
export const IGNORE_NON_FATAL: OptionSpec = {
  long: 'ignore-non-fatal-errors',
  help: 'Only return a non-zero exit code if a fatal error is found.',
};
export const CLEAR_NEEDS_CHECK: OptionSpec = {
  long: 'clear-needs-check-flag',
  help: "Clears the 'needs_check' flag in the superblock",
};

/** How a size is printed. */
export const SIZE_OUTPUT: readonly OptionSpec[] = [
  { long: 'unit', short: 'u', value: 'UNIT', help: 'Specify the output unit in {bskKmMgG} [default: sector]' },
  {
    long: 'numeric-only',
    short: 'n',
    value: 'OPT',
    optionalValue: true,
    choices: ['short', 'long'],
    help: 'Output numeric value only',
  },
];

export const SEED: OptionSpec = {
  long: 'seed',
  value: 'NUM',
  kind: 'u32',
  help: 'Choose another one by chance [default: 1]',
};

/** Of what damages metadata in place. */
export function damageOptions(kinds: readonly string[]): OptionSpec[] {
  return [
    { ...OUTPUT_DEVICE, help: 'Specify the device to damage' },
    { long: 'kind', value: 'KIND', choices: kinds, help: 'Choose the kind of damage [default: leak]' },
  ];
}

const TRANSACTION_ID: OptionSpec = {
  long: 'transaction-id',
  value: 'NUM',
  kind: 'u64',
  help: 'Override the transaction id if needed',
};
const NR_DATA_BLOCKS: OptionSpec = {
  long: 'nr-data-blocks',
  value: 'NUM',
  kind: 'u64',
  help: 'Override the number of data blocks if needed',
};

/** What the superblock of a pool is to say. @param dataBlockSizeHelp - The help of `--data-block-size`. */
export function poolOverrides(dataBlockSizeHelp: string): OptionSpec[] {
  const dataBlockSize = { long: 'data-block-size', value: 'SECTORS', kind: 'u32', help: dataBlockSizeHelp } as const;
  return [TRANSACTION_ID, dataBlockSize, NR_DATA_BLOCKS];
}

/** What a damaged superblock of a pool cannot tell. */
export const REPAIR_OVERRIDES: readonly OptionSpec[] = poolOverrides('Provide the data block size for repairing');
