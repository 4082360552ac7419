/** Rows of the command table: the tools over era metadata. */

import { type CommandSpec, inputOperand, JSON_OUTPUT, type OptionSpec, QUIET } from '../command.ts';
import {
  damageOptions,
  IGNORE_NON_FATAL,
  INPUT_DEVICE,
  INPUT_XML,
  OUTPUT_DEVICE,
  OUTPUT_TEXT,
  OUTPUT_UNLESS_PREVIEW,
  preview,
  REPAIR_WHILE_DUMPING,
  SEED,
  SUPERBLOCK_ONLY,
  TEXT_FORMATS,
} from './tool-options.ts';

/** Kinds of damage: those of `persistent-data/testing`, which is not loaded for a table. */
export const ERA_DAMAGE_KINDS = [
  ...['leak', 'badCount', 'largeCount', 'lostNode', 'lostBlock', 'bitRot', 'geometry', 'shortBlock', 'keyOrder'],
  ...['wrongRoot', 'farEra', 'farWriteset', 'longWriteset'],
];

const CHOICE: OptionSpec = { ...SEED, help: 'Choose by this number [default: 1]' };

const ERA_CHECK: CommandSpec = {
  name: 'era_check',
  about: 'Validate era metadata on device or file.',
  operands: [inputOperand('check')],
  options: [QUIET, JSON_OUTPUT, SUPERBLOCK_ONLY, IGNORE_NON_FATAL],
  load: () => import('./era-check.ts'),
};

const ERA_DUMP: CommandSpec = {
  name: 'era_dump',
  about: 'Dump the era metadata to stdout in XML format',
  operands: [inputOperand('dump')],
  options: [
    QUIET,
    ...TEXT_FORMATS,
    { long: 'logical', help: 'Fold any unprocessed write sets into the final era array' },
    REPAIR_WHILE_DUMPING,
    OUTPUT_TEXT,
  ],
  load: () => import('./era-dump.ts'),
};

const ERA_RESTORE: CommandSpec = {
  name: 'era_restore',
  about: 'Convert XML format metadata to binary.',
  operands: [],
  options: [QUIET, JSON_OUTPUT, INPUT_XML, OUTPUT_DEVICE],
  load: () => import('./era-restore.ts'),
};

const ERA_REPAIR: CommandSpec = {
  name: 'era_repair',
  about: 'Repair binary era metadata, and write it to a different device or file',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    INPUT_DEVICE,
    OUTPUT_UNLESS_PREVIEW,
    preview('print what is lost, and what is taken for it'),
  ],
  load: () => import('./era-repair.ts'),
};

const ERA_INVALIDATE: CommandSpec = {
  name: 'era_invalidate',
  about: 'List blocks that may have changed since a given era',
  operands: [inputOperand('look at')],
  options: [
    JSON_OUTPUT,
    {
      long: 'written-since',
      value: 'ERA',
      kind: 'u32',
      required: true,
      help: 'Blocks written since the given era will be listed',
    },
    {
      long: 'metadata-snapshot',
      value: 'BLOCKNR',
      kind: 'u64',
      optionalValue: true,
      help: 'Use the metadata snapshot rather than the current superblock',
    },
    {
      long: 'with-current',
      help: 'List blocks of the current writeset too, which a crash left',
      conflicts: ['metadata-snapshot'],
    },
    OUTPUT_TEXT,
  ],
  load: () => import('./era-invalidate.ts'),
};

const ERA_GENERATE_METADATA: CommandSpec = {
  name: 'era_generate_metadata',
  about: 'Write era metadata of a given shape, for tests',
  operands: [],
  options: [
    JSON_OUTPUT,
    OUTPUT_DEVICE,
    { long: 'block-size', value: 'SECTORS', kind: 'u32', help: 'Size of a block [default: 128]' },
    { long: 'nr-blocks', value: 'NUM', kind: 'u32', help: 'Blocks of the origin [default: 10000]' },
    { long: 'nr-writesets', value: 'NUM', kind: 'u32', help: 'Eras that are not digested [default: 3]' },
    { long: 'percent', value: 'NUM', kind: 'u32', help: 'Blocks written in each of them, in percent [default: 10]' },
    CHOICE,
  ],
  load: () => import('./era-generate-metadata.ts'),
};

const ERA_GENERATE_DAMAGE: CommandSpec = {
  name: 'era_generate_damage',
  about: 'Damage sound era metadata in place, for tests',
  operands: [],
  options: [JSON_OUTPUT, ...damageOptions(ERA_DAMAGE_KINDS), CHOICE],
  load: () => import('./era-generate-damage.ts'),
};

export const ERA_TOOLS: readonly CommandSpec[] = [
  ERA_CHECK,
  ERA_DUMP,
  ERA_RESTORE,
  ERA_REPAIR,
  ERA_INVALIDATE,
  ERA_GENERATE_METADATA,
  ERA_GENERATE_DAMAGE,
];
