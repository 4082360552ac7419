/** Rows of the command table: the tools over thin pools besides checking, dumping and restoring. */

import {
  type CommandSpec,
  EXIT,
  inputOperand,
  JSON_OUTPUT,
  type OperandSpec,
  type OptionSpec,
  QUIET,
} from '../command.ts';
import {
  damageOptions,
  INPUT_DEVICE,
  OUTPUT_DEVICE,
  OUTPUT_UNLESS_PREVIEW,
  preview,
  REPAIR_OVERRIDES,
  SEED,
  SIZE_OUTPUT,
} from './tool-options.ts';

/** Kinds of damage: those of `persistent-data/testing`, which is not loaded for a table. */
export const DAMAGES = [
  ...['leak', 'badCount', 'largeCount', 'lostNode', 'bitRot', 'swappedNodes', 'swappedContents', 'staleNode'],
  ...['cycle', 'sharedNode', 'geometry', 'keyOrder', 'emptyRoot', 'wrongRoot', 'farData'],
];

const INPUT: OperandSpec = { name: 'INPUT', help: 'Specify the input device' };
const SNAPSHOT: OptionSpec = { long: 'metadata-snap', short: 'm', help: 'Use metadata snapshot' };

const CHOOSE: OptionSpec = {
  long: 'choose',
  value: 'ROOT[,ROOT]',
  help: 'Take the mappings at this block, and the details at that one, in place of the best',
};

const THIN_LS: CommandSpec = {
  name: 'thin_ls',
  about: 'List thin volumes within a pool',
  operands: [INPUT],
  options: [
    JSON_OUTPUT,
    SNAPSHOT,
    { long: 'no-headers', help: "Don't output headers" },
    { long: 'format', short: 'o', value: 'FIELDS', help: 'Give a comma separated list of fields to be output' },
    {
      long: 'exclusive-of',
      value: 'DEV_IDS',
      multiple: true,
      help: 'Print how much only these devices map: what deleting them all would free',
    },
    { long: 'sharing-matrix', help: 'Print how many blocks each two devices share' },
  ],
  load: () => import('./thin-ls.ts'),
};

const THIN_RMAP: CommandSpec = {
  name: 'thin_rmap',
  about: 'Output reverse map of a thin provisioned region of blocks',
  operands: [INPUT],
  options: [
    JSON_OUTPUT,
    SNAPSHOT,
    {
      long: 'region',
      value: 'BLOCK_RANGE',
      required: true,
      multiple: true,
      help: 'Specify range of blocks on the data device',
    },
    { long: 'all', help: 'Print every device that maps a block, also where devices share metadata' },
  ],
  load: () => import('./thin-rmap.ts'),
};

function side(which: 1 | 2): OptionSpec[] {
  const ordinal = which === 1 ? 'first' : 'second';
  const help = `The numeric identifier for the ${ordinal} thin volume to diff`;
  const root = `The root block for the ${ordinal} thin volume to diff`;
  const [thin, snap, rootName] = [`thin${which}`, `snap${which}`, `root${which}`];
  return [
    { long: thin, value: 'DEV_ID', kind: 'u64', help: `${help} [aliases: ${snap}]`, conflicts: [snap, rootName] },
    { long: snap, value: 'DEV_ID', kind: 'u64', help, hidden: true, conflicts: [rootName] },
    { long: rootName, value: 'BLOCKNR', kind: 'u64', help: root },
  ];
}

const THIN_DELTA: CommandSpec = {
  name: 'thin_delta',
  about: 'Print the differences in the mappings between two thin devices',
  operands: [INPUT],
  options: [
    JSON_OUTPUT,
    SNAPSHOT,
    ...side(1),
    ...side(2),
    { long: 'verbose', help: 'Provide extra information on the mappings' },
    { long: 'exact', help: 'End ranges where data blocks are not adjacent' },
  ],
  load: () => import('./thin-delta.ts'),
};

const THIN_METADATA_SIZE: CommandSpec = {
  name: 'thin_metadata_size',
  about: 'Estimate the size of the metadata device needed for a given configuration.',
  operands: [],
  options: [
    JSON_OUTPUT,
    { long: 'block-size', short: 'b', value: 'SIZE[bskmg]', required: true, help: 'Specify the data block size' },
    { long: 'pool-size', short: 's', value: 'SIZE[bskmgtp]', required: true, help: 'Specify the size of pool device' },
    {
      long: 'max-thins',
      short: 'm',
      value: 'NUM',
      kind: 'u64',
      required: true,
      help: 'Maximum number of thin devices and snapshots',
    },
    ...SIZE_OUTPUT,
  ],
  load: () => import('./thin-metadata-size.ts'),
};

const THIN_METADATA_PACK: CommandSpec = {
  name: 'thin_metadata_pack',
  about: 'Produces a compressed file of thin metadata.  Only packs metadata blocks that are actually used.',
  operands: [],
  options: [
    JSON_OUTPUT,
    { long: 'input', short: 'i', value: 'DEV', required: true, help: 'Specify thinp metadata binary device/file' },
    { ...OUTPUT_DEVICE, help: 'Specify packed output file' },
    { long: 'force', short: 'f', help: 'Force overwrite the output file' },
    { long: 'redact', help: 'Leave out what identifies the owner: the uuid, and stray bytes of memory' },
  ],
  load: () => import('./thin-metadata-pack.ts'),
};

const THIN_METADATA_UNPACK: CommandSpec = {
  name: 'thin_metadata_unpack',
  about: 'Unpack a compressed file of thin metadata.',
  operands: [],
  options: [
    JSON_OUTPUT,
    { ...INPUT_DEVICE, help: 'Specify packed input file' },
    { long: 'output', short: 'o', value: 'DEV', required: true, help: 'Specify thinp metadata binary device/file' },
    { long: 'force', short: 'f', help: 'Force overwrite the output file' },
  ],
  load: () => import('./thin-metadata-unpack.ts'),
};

const THIN_REPAIR: CommandSpec = {
  name: 'thin_repair',
  about: 'Repair thin-provisioning metadata, and write it to different device or file',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    INPUT_DEVICE,
    OUTPUT_UNLESS_PREVIEW,
    ...REPAIR_OVERRIDES,
    preview('print what each candidate would keep and lose'),
    CHOOSE,
    { long: 'verbose', short: 'v', multiple: true, help: 'Has no effect', hidden: true },
  ],
  load: () => import('./thin-repair.ts'),
};

const THIN_ROOTS: CommandSpec = {
  name: 'thin_roots',
  about: 'List the generations of a pool that are still on its metadata device',
  operands: [inputOperand('search')],
  options: [
    JSON_OUTPUT,
    CHOOSE,
    { long: 'list', help: 'Print the devices of the chosen generation', conflicts: ['dump', 'diff'] },
    { long: 'dump', help: 'Print the chosen generation as XML', conflicts: ['diff', 'check'] },
    { long: 'check', help: 'Check all nodes and mappings of the chosen generation', conflicts: ['list', 'diff'] },
    {
      long: 'diff',
      value: 'DEV_ID',
      kind: 'u64',
      help: 'Print how a device of the chosen generation differs from what it is now',
    },
    ...REPAIR_OVERRIDES,
  ],
  load: () => import('./thin-roots.ts'),
};

const POOL: readonly OptionSpec[] = [
  { long: 'metadata-dev', value: 'FILE', required: true, help: 'Specify the pool metadata device' },
  { long: 'data-dev', value: 'FILE', required: true, help: 'Specify the pool data device' },
];

const SIZE: OptionSpec = {
  long: 'size',
  value: 'SECTORS',
  kind: 'u64',
  help: 'Length of the volume, which its metadata does not tell [default: to the last mapped block]',
};

const THIN_EXTRACT: CommandSpec = {
  name: 'thin_extract',
  about: 'Copy the bytes of a thin device out of a pool that is not active, also of a damaged one',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    ...POOL,
    { long: 'dev-id', value: 'DEV_ID', kind: 'u64', required: true, help: 'Specify the thin device' },
    { long: 'output', short: 'o', value: 'FILE', help: 'Write a sparse file rather than to stdout' },
    SIZE,
    { ...SNAPSHOT, conflicts: ['repair', 'choose'] },
    { long: 'repair', short: 'r', help: 'Take the roots that thin_repair would take' },
    CHOOSE,
    ...REPAIR_OVERRIDES,
  ],
  exitCodes: { [EXIT.failure]: 'also: some blocks could not be resolved; all others were copied' },
  load: () => import('./thin-extract.ts'),
};

const THIN_TRIM: CommandSpec = {
  name: 'thin_trim',
  about: 'Issue discard requests for free pool space (offline tool).',
  operands: [],
  options: [QUIET, JSON_OUTPUT, ...POOL],
  exitCodes: { [EXIT.precheck]: 'the metadata contains errors; nothing was discarded' },
  load: () => import('./thin-trim.ts'),
};

const THIN_SHRINK: CommandSpec = {
  name: 'thin_shrink',
  about: 'Rewrite xml metadata and move data in an inactive pool.',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    { ...INPUT_DEVICE, help: 'Specify thinp metadata xml file' },
    { ...OUTPUT_DEVICE, help: 'Specify output xml file' },
    { long: 'data', value: 'FILE', required: true, help: 'Specify pool data device where data will be moved' },
    {
      long: 'nr-blocks',
      value: 'NUM',
      kind: 'u64',
      required: true,
      help: 'Specify new size for the pool (in data blocks)',
    },
    { long: 'no-copy', help: 'Skip the copying of data, useful for benchmarking' },
    { long: 'binary', help: 'Perform binary metadata rebuild rather than XML rewrite' },
  ],
  load: () => import('./thin-shrink.ts'),
};

const THIN_MIGRATE: CommandSpec = {
  name: 'thin_migrate',
  about: 'Migrate a thin volume from one pool to another.',
  operands: [],
  options: [
    QUIET,
    JSON_OUTPUT,
    { long: 'metadata-dev', value: 'FILE', help: 'Specify the metadata device of the inactive source pool' },
    { long: 'data-dev', value: 'FILE', help: 'Specify the data device of the inactive source pool' },
    { long: 'dev-id', value: 'DEV_ID', kind: 'u64', help: 'Specify the thin device in the source pool' },
    { long: 'dest-dev', value: 'DEVICE', help: 'Specify the output device', conflicts: ['dest-file'] },
    { long: 'dest-file', value: 'FILE', help: 'Specify the output file' },
    { long: 'buffer-size-meg', value: 'MB', kind: 'u32', help: 'Specify the size of the copy buffers, in megabytes' },
    SIZE,
    { long: 'zero-dest', help: 'Write zeros to the output device where nothing is mapped' },
    { long: 'source-dev', value: 'DEVICE', help: 'Not supported: a live device', hidden: true },
  ],
  load: () => import('./thin-migrate.ts'),
};

const THIN_STAT: CommandSpec = {
  name: 'thin_stat',
  about: 'Tool to show metadata statistics',
  operands: [INPUT],
  options: [
    JSON_OUTPUT,
    {
      long: 'op',
      value: 'OP',
      choices: ['data_blocks', 'metadata_blocks', 'data_run_len'],
      help: 'Choose the target to stat [default: data_blocks]',
    },
  ],
  load: () => import('./thin-stat.ts'),
};

const THIN_GENERATE_METADATA: CommandSpec = {
  name: 'thin_generate_metadata',
  about: 'Write the metadata of a pool of a given shape, for tests',
  operands: [],
  options: [
    JSON_OUTPUT,
    OUTPUT_DEVICE,
    { long: 'nr-devices', value: 'NUM', kind: 'u32', help: 'Thin devices [default: 1]' },
    { long: 'nr-mappings', value: 'NUM', kind: 'u32', help: 'Mappings of each device [default: 1000]' },
    { long: 'nr-snapshots', value: 'NUM', kind: 'u32', help: 'Snapshots of each device [default: 0]' },
    { long: 'fragmented', help: 'Scatter data blocks' },
    SEED,
  ],
  load: () => import('./thin-generate-metadata.ts'),
};

const THIN_GENERATE_DAMAGE: CommandSpec = {
  name: 'thin_generate_damage',
  about: 'Damage the metadata of a sound pool in place, for tests',
  operands: [],
  options: [JSON_OUTPUT, ...damageOptions(DAMAGES), SEED],
  load: () => import('./thin-generate-damage.ts'),
};

/** In the order of the handbook. */
export const THIN_TOOLS: readonly CommandSpec[] = [
  THIN_REPAIR,
  THIN_ROOTS,
  THIN_LS,
  THIN_RMAP,
  THIN_DELTA,
  THIN_METADATA_SIZE,
  THIN_METADATA_PACK,
  THIN_METADATA_UNPACK,
  THIN_EXTRACT,
  THIN_TRIM,
  THIN_SHRINK,
  THIN_MIGRATE,
  THIN_STAT,
  THIN_GENERATE_METADATA,
  THIN_GENERATE_DAMAGE,
];
