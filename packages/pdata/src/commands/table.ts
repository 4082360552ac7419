/** All commands: the one table that parsing, help, completion and man pages are made of. Loading it loads no command's code. */

import { type CommandSpec, inputOperand, JSON_OUTPUT, type OptionSpec, QUIET } from '../command.ts';
import { CACHE_TOOLS } from './cache-tools-table.ts';
import { ERA_TOOLS } from './era-tools-table.ts';
import { POOL_TABLE } from './pool-table.ts';
import { SHELL_COMMANDS } from './shell-table.ts';
import { THIN_TOOLS } from './thin-tools-table.ts';

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

function dataBlockSize(help: string): OptionSpec {
  return { long: 'data-block-size', value: 'SECTORS', kind: 'u32', help };
}

const NO_REPAIR = ['metadata-snap', 'override-mapping-root', 'override-details-root', 'ignore-non-fatal-errors'];

const THIN_CHECK: CommandSpec = {
  name: 'thin_check',
  about: 'Validates thin provisioning metadata on a device or file.',
  operands: [inputOperand('check')],
  options: [
    QUIET,
    JSON_OUTPUT,
    { long: 'super-block-only', help: 'Only check the superblock.' },
    { long: 'skip-mappings', help: "Don't check the mapping tree" },
    { long: 'metadata-snap', short: 'm', help: 'Check the metadata snapshot on a live pool' },
    {
      long: 'clear-needs-check-flag',
      help: "Clears the 'needs_check' flag in the superblock",
      conflicts: NO_REPAIR,
    },
    { long: 'auto-repair', help: 'Auto repair trivial issues.', conflicts: NO_REPAIR },
    {
      long: 'ignore-non-fatal-errors',
      help: 'Only return a non-zero exit code if a fatal error is found.',
    },
    { long: 'override-mapping-root', value: 'BLOCKNR', kind: 'u64', help: 'Specify a mapping root to use' },
    { long: 'override-details-root', value: 'BLOCKNR', kind: 'u64', help: 'Specify a details root to use' },
  ],
  load: () => import('./thin-check.ts'),
};

const THIN_DUMP: CommandSpec = {
  name: 'thin_dump',
  about: 'Dump thin-provisioning metadata to stdout in XML format',
  operands: [inputOperand('dump')],
  options: [
    QUIET,
    {
      long: 'format',
      short: 'f',
      value: 'TYPE',
      choices: ['xml', 'human_readable', 'ndjson', 'csv'],
      help: 'Choose the output format',
    },
    { long: 'json', help: 'Print a JSON object a line, as --format ndjson', conflicts: ['format'] },
    { long: 'repair', short: 'r', help: 'Repair the metadata whilst dumping it', conflicts: ['metadata-snap'] },
    {
      long: 'choose',
      value: 'ROOT[,ROOT]',
      help: 'With --repair: take the mappings at this block, and the details at that one',
    },
    {
      long: 'metadata-snap',
      short: 'm',
      value: 'BLOCKNR',
      kind: 'u64',
      optionalValue: true,
      help: 'Access the metadata snapshot on a live pool',
    },
    { long: 'output', short: 'o', value: 'FILE', help: 'Specify the output file rather than stdout' },
    { long: 'dev-id', value: 'THIN_ID', kind: 'u64', multiple: true, help: 'Dump the specified device' },
    { long: 'skip-mappings', help: 'Do not dump the mappings' },
    TRANSACTION_ID,
    dataBlockSize('Provide the data block size for repairing'),
    NR_DATA_BLOCKS,
  ],
  load: () => import('./thin-dump.ts'),
};

const THIN_RESTORE: CommandSpec = {
  name: 'thin_restore',
  about: 'Convert XML format metadata to binary.',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    { long: 'input', short: 'i', value: 'FILE', required: true, help: 'Specify the input xml' },
    { long: 'output', short: 'o', value: 'FILE', required: true, help: 'Specify the output device' },
    TRANSACTION_ID,
    dataBlockSize('Override the data block size if needed'),
    NR_DATA_BLOCKS,
  ],
  load: () => import('./thin-restore.ts'),
};

export const COMMANDS: readonly CommandSpec[] = [
  THIN_CHECK,
  THIN_DUMP,
  THIN_RESTORE,
  ...THIN_TOOLS,
  ...CACHE_TOOLS,
  ...ERA_TOOLS,
  ...POOL_TABLE,
  ...SHELL_COMMANDS,
];
