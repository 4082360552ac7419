/** All commands: the one table that parsing, help, completion and man pages are made of. Loading it loads no command's code. */

import { type CommandSpec, inputOperand, JSON_OUTPUT, QUIET } from '../command.ts';
import { CACHE_TOOLS } from './cache-tools-table.ts';
import { ERA_TOOLS } from './era-tools-table.ts';
import { POOL_TABLE } from './pool-table.ts';
import { SHELL_COMMANDS } from './shell-table.ts';
import { THIN_TOOLS } from './thin-tools-table.ts';
import {
  CLEAR_NEEDS_CHECK,
  IGNORE_NON_FATAL,
  INPUT_XML,
  OUTPUT_DEVICE,
  OUTPUT_TEXT,
  poolOverrides,
  REPAIR_OVERRIDES,
  REPAIR_WHILE_DUMPING,
  SUPERBLOCK_ONLY,
} from './tool-options.ts';

const NO_REPAIR = ['metadata-snap', 'override-mapping-root', 'override-details-root', 'ignore-non-fatal-errors'];

const THIN_CHECK: CommandSpec = {
  name: 'thin_check',
  about: 'Validates thin provisioning metadata on a device or file.',
  operands: [inputOperand('check')],
  options: [
    QUIET,
    JSON_OUTPUT,
    SUPERBLOCK_ONLY,
    { long: 'skip-mappings', help: "Don't check the mapping tree" },
    { long: 'metadata-snap', short: 'm', help: 'Check the metadata snapshot on a live pool' },
    { ...CLEAR_NEEDS_CHECK, conflicts: NO_REPAIR },
    { long: 'auto-repair', help: 'Auto repair trivial issues.', conflicts: NO_REPAIR },
    IGNORE_NON_FATAL,
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
    { ...REPAIR_WHILE_DUMPING, conflicts: ['metadata-snap'] },
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
    OUTPUT_TEXT,
    { long: 'dev-id', value: 'THIN_ID', kind: 'u64', multiple: true, help: 'Dump the specified device' },
    { long: 'skip-mappings', help: 'Do not dump the mappings' },
    ...REPAIR_OVERRIDES,
  ],
  load: () => import('./thin-dump.ts'),
};

const THIN_RESTORE: CommandSpec = {
  name: 'thin_restore',
  about: 'Convert XML format metadata to binary.',
  operands: [],
  options: [QUIET, JSON_OUTPUT, INPUT_XML, OUTPUT_DEVICE, ...poolOverrides('Override the data block size if needed')],
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
