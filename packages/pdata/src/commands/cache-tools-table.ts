/** Rows of the command table: the tools over caches. */

import { type CommandSpec, EXIT, inputOperand, JSON_OUTPUT, type OptionSpec, QUIET } from '../command.ts';
import {
  CLEAR_NEEDS_CHECK,
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
  SIZE_OUTPUT,
  SUPERBLOCK_ONLY,
  TEXT_FORMATS,
} from './tool-options.ts';

/** Kinds of damage: those of `persistent-data/testing`, which is not loaded for a table. */
export const CACHE_DAMAGE_KINDS = [
  ...['leak', 'badCount', 'lostMappings', 'lostHints', 'lostDirtyBits', 'lostDiscards', 'lostNode', 'bitRot'],
  ...['wrongRoot', 'unknownFlags', 'dirtyUnmapped', 'mappedTwice', 'beyondOrigin', 'tooShort', 'needsCheck'],
  ...['unclean', 'hintWidth', 'feature', 'version'],
];

const METADATA_VERSION: OptionSpec = {
  long: 'metadata-version',
  value: 'NUM',
  choices: ['1', '2'],
  help: 'Specify the output metadata version [default: 2]',
};

const CACHE_CHECK: CommandSpec = {
  name: 'cache_check',
  about: 'Validates cache metadata on a device or file.',
  operands: [inputOperand('check')],
  options: [
    QUIET,
    JSON_OUTPUT,
    { ...SUPERBLOCK_ONLY, help: 'Only check the superblock' },
    { long: 'skip-mappings', help: "Don't check the mapping array" },
    { long: 'skip-hints', help: "Don't check the hint array" },
    { long: 'skip-discards', help: "Don't check the discard bitset" },
    CLEAR_NEEDS_CHECK,
    { long: 'auto-repair', help: 'Auto repair trivial issues' },
    IGNORE_NON_FATAL,
  ],
  load: () => import('./cache-check.ts'),
};

const CACHE_DUMP: CommandSpec = {
  name: 'cache_dump',
  about: 'Dump the cache metadata to stdout in XML format',
  operands: [inputOperand('dump')],
  options: [{ ...QUIET, hidden: true }, ...TEXT_FORMATS, OUTPUT_TEXT, REPAIR_WHILE_DUMPING],
  load: () => import('./cache-dump.ts'),
};

const CACHE_RESTORE: CommandSpec = {
  name: 'cache_restore',
  about: 'Convert XML format metadata to binary.',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    INPUT_XML,
    OUTPUT_DEVICE,
    METADATA_VERSION,
    { long: 'omit-clean-shutdown', help: "Don't set the clean shutdown flag" },
  ],
  load: () => import('./cache-restore.ts'),
};

const CACHE_REPAIR: CommandSpec = {
  name: 'cache_repair',
  about: 'Repair binary cache metadata, and write it to a different device or file',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    INPUT_DEVICE,
    OUTPUT_UNLESS_PREVIEW,
    preview('print what a repair would keep and lose'),
  ],
  load: () => import('./cache-repair.ts'),
};

const CACHE_METADATA_SIZE: CommandSpec = {
  name: 'cache_metadata_size',
  about: 'Estimate the size of the metadata device needed for a given configuration.',
  operands: [],
  options: [
    JSON_OUTPUT,
    {
      long: 'block-size',
      value: 'SIZE[bskmg]',
      help: 'Specify the size of each cache block',
      conflicts: ['nr-blocks'],
    },
    {
      long: 'device-size',
      value: 'SIZE[bskmgtp]',
      help: 'Specify total size of the fast device used in the cache',
      conflicts: ['nr-blocks'],
    },
    { long: 'nr-blocks', value: 'NUM', kind: 'u64', help: 'Specify the number of cache blocks' },
    { long: 'max-hint-width', value: 'BYTES', kind: 'u64', help: 'Specify the per-block hint width [default: 4]' },
    ...SIZE_OUTPUT,
  ],
  load: () => import('./cache-metadata-size.ts'),
};

const METADATA_DEVICE: OptionSpec = {
  long: 'metadata-device',
  value: 'FILE',
  required: true,
  help: 'Specify the cache metadata device',
};
const FAST_DEVICE: OptionSpec = {
  long: 'fast-device',
  value: 'FILE',
  required: true,
  help: 'Specify the fast device containing the data that needs to be written back',
};
const ORIGIN_DEVICE: OptionSpec = {
  long: 'origin-device',
  value: 'FILE',
  required: true,
  help: 'Specify the slow device being cached',
};
const COPYING: readonly OptionSpec[] = [
  {
    long: 'fast-device-offset',
    value: 'SECTORS',
    kind: 'u64',
    help: 'Specify the data offset within the fast device [default: 0]',
  },
  {
    long: 'origin-device-offset',
    value: 'SECTORS',
    kind: 'u64',
    help: 'Specify the data offset within the slow device [default: 0]',
  },
  {
    long: 'buffer-size-meg',
    value: 'MB',
    kind: 'u32',
    help: 'Specify the size of the data buffer, in mebibytes [default: 64]',
  },
  {
    long: 'retry-count',
    value: 'CNT',
    kind: 'u32',
    help: 'Specify how many times to retry data copying on failed data block [default: 0]',
  },
];

const CACHE_WRITEBACK: CommandSpec = {
  name: 'cache_writeback',
  about: 'Write the dirty blocks of a cache that is not active back to its slow device (offline tool).',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    METADATA_DEVICE,
    ORIGIN_DEVICE,
    FAST_DEVICE,
    ...COPYING,
    { long: 'list-failed-blocks', help: 'List any blocks that failed the writeback process, and why' },
    { long: 'no-metadata-update', help: 'Do not clear the dirty flags in metadata' },
  ],
  exitCodes: { [EXIT.precheck]: 'the metadata contains errors; nothing was copied' },
  load: () => import('./cache-writeback.ts'),
};

const CACHE_DETACH: CommandSpec = {
  name: 'cache_detach',
  about: 'Say whether a cache can be dropped and what that would lose; with its devices, write back what must be',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    METADATA_DEVICE,
    { ...FAST_DEVICE, required: false, help: 'Write back from this fast device' },
    { ...ORIGIN_DEVICE, required: false, help: 'Write back to this slow device' },
    ...COPYING,
  ],
  exitCodes: {
    [EXIT.failure]: 'also: the cache must not be dropped',
    [EXIT.precheck]: 'the metadata contains errors; nothing was copied',
  },
  load: () => import('./cache-detach.ts'),
};

const CACHE_GENERATE_METADATA: CommandSpec = {
  name: 'cache_generate_metadata',
  about: 'Write the metadata of a cache of a given shape, for tests',
  operands: [],
  options: [
    JSON_OUTPUT,
    OUTPUT_DEVICE,
    { long: 'nr-cache-blocks', value: 'NUM', kind: 'u32', help: 'Cache blocks [default: 1000]' },
    { long: 'nr-mappings', value: 'NUM', kind: 'u32', help: 'Mapped blocks [default: all]' },
    { long: 'nr-origin-blocks', value: 'NUM', kind: 'u32', help: 'Origin blocks [default: twice the cache blocks]' },
    {
      long: 'percent-dirty',
      value: 'NUM',
      kind: 'u32',
      help: 'Dirty blocks of a hundred that are mapped [default: 33]',
    },
    { long: 'fragmented', help: 'Scatter origin blocks' },
    METADATA_VERSION,
    { long: 'unclean', help: "Don't set the clean shutdown flag" },
    SEED,
  ],
  load: () => import('./cache-generate-metadata.ts'),
};

const CACHE_GENERATE_DAMAGE: CommandSpec = {
  name: 'cache_generate_damage',
  about: 'Damage the metadata of a sound cache in place, for tests',
  operands: [],
  options: [JSON_OUTPUT, ...damageOptions(CACHE_DAMAGE_KINDS), SEED],
  load: () => import('./cache-generate-damage.ts'),
};

/** In the order of the handbook. */
export const CACHE_TOOLS: readonly CommandSpec[] = [
  CACHE_CHECK,
  CACHE_DUMP,
  CACHE_RESTORE,
  CACHE_REPAIR,
  CACHE_WRITEBACK,
  CACHE_DETACH,
  CACHE_METADATA_SIZE,
  CACHE_GENERATE_METADATA,
  CACHE_GENERATE_DAMAGE,
];
