/** Rows of the command table: pools with names, their volumes, and the server. */

import { type CommandSpec, JSON_OUTPUT, type OperandSpec, type OptionSpec } from '../command.ts';

const POOL: OperandSpec = { name: 'POOL', help: 'The folder of the pool' };
const NAME: OperandSpec = { name: 'NAME', help: 'The name of the volume' };

function size(help: string, required = true): OptionSpec {
  return { long: 'size', short: 's', value: 'SIZE', ...(required ? { required } : {}), help };
}

const POOL_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'pool create',
    about: 'Make a thin pool in a folder',
    operands: [POOL],
    options: [
      JSON_OUTPUT,
      size('How much data it can hold; takes room as it is written [default: 16G]', false),
      { long: 'block-size', value: 'SIZE', help: 'The unit of provisioning and sharing [default: 64K]' },
    ],
    load: () => import('./pool-create.ts'),
  },
  {
    name: 'pool status',
    about: 'Print how full a pool is, and what it can do now',
    operands: [POOL],
    options: [JSON_OUTPUT],
    load: () => import('./pool-status.ts'),
  },
  {
    name: 'pool grow',
    about: 'Give a pool more data space; requests that wait for it go on',
    operands: [POOL],
    options: [JSON_OUTPUT, size('How much data it can hold from now on')],
    load: () => import('./pool-grow.ts'),
  },
  {
    name: 'pool check',
    about: 'Check the files of a pool that is not served, and that names and volumes match',
    operands: [POOL],
    options: [
      JSON_OUTPUT,
      { long: 'reconcile', help: 'Make names match the volumes after something else has changed the pool' },
    ],
    load: () => import('./pool-check.ts'),
  },
];

const change = () => import('./volume-change.ts');

const VOLUME_CHANGES: readonly CommandSpec[] = [
  {
    name: 'volume create',
    about: 'Make an empty volume',
    operands: [POOL, NAME],
    options: [JSON_OUTPUT, size('The size of the volume')],
    load: change,
  },
  {
    name: 'volume snapshot',
    about: 'Make a read-only snapshot of a volume, which may be in use',
    operands: [POOL, { name: 'VOLUME', help: 'What to make it of' }, { name: 'SNAPSHOT', help: 'Its name' }],
    options: [JSON_OUTPUT],
    load: change,
  },
  {
    name: 'volume clone',
    about: 'Make a writable copy of a volume or snapshot, in no time',
    operands: [POOL, { name: 'VOLUME', help: 'What to make it of' }, { name: 'CLONE', help: 'Its name' }],
    options: [JSON_OUTPUT],
    load: change,
  },
  {
    name: 'volume rollback',
    about: 'Give a volume that nobody uses the content of a snapshot, which stays',
    operands: [POOL, NAME, { name: 'SNAPSHOT', help: 'What it is to hold' }],
    options: [JSON_OUTPUT],
    load: change,
  },
  {
    name: 'volume merge',
    about: 'Give a volume that nobody uses the content of a snapshot, which goes',
    operands: [POOL, { name: 'SNAPSHOT', help: 'What goes' }, NAME],
    options: [JSON_OUTPUT],
    load: change,
  },
  {
    name: 'volume delete',
    about: 'Delete a volume or snapshot that nobody uses',
    operands: [POOL, NAME],
    options: [JSON_OUTPUT],
    load: change,
  },
  {
    name: 'volume rename',
    about: 'Give a volume another name',
    operands: [POOL, NAME, { name: 'TO', help: 'The new name' }],
    options: [JSON_OUTPUT],
    load: change,
  },
  {
    name: 'volume resize',
    about: 'Change the size of a volume; one that is in use can only grow',
    operands: [POOL, NAME],
    options: [JSON_OUTPUT, size('The new size; what lies beyond a smaller one is lost')],
    load: change,
  },
  {
    name: 'volume protect',
    about: 'Make a volume read-only, or writable again',
    operands: [POOL, NAME],
    options: [JSON_OUTPUT, { long: 'off', help: 'Make it writable' }],
    load: change,
  },
];

const VOLUME_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'volume list',
    about: 'List the volumes of a pool',
    operands: [POOL],
    options: [JSON_OUTPUT],
    load: () => import('./volume-list.ts'),
  },
  {
    name: 'volume import',
    about: 'Make a volume out of a raw file',
    operands: [POOL, NAME, { name: 'FILE', help: 'The raw file' }],
    options: [JSON_OUTPUT],
    load: () => import('./volume-import.ts'),
  },
  {
    name: 'volume export',
    about: 'Write a volume as it is now into a raw, sparse file, or with - to standard output',
    operands: [POOL, NAME, { name: 'FILE', help: 'The file to make' }],
    options: [JSON_OUTPUT, { long: 'force', short: 'f', help: 'Overwrite a file that exists' }],
    load: () => import('./volume-export.ts'),
  },
  {
    name: 'volume send',
    about: 'Write a snapshot, or its difference to another one, as a stream to standard output',
    operands: [POOL, { name: 'SNAPSHOT', help: 'What to send' }],
    options: [
      {
        long: 'base',
        short: 'b',
        value: 'SNAPSHOT',
        help: 'Send only what differs from this one, which the receiver has',
      },
      { long: 'from', value: 'BYTE', help: 'Go on after an interruption: what is below has been received' },
      { long: 'output', short: 'o', value: 'FILE', help: 'Write into a new file' },
    ],
    load: () => import('./volume-send.ts'),
  },
  {
    name: 'volume receive',
    about: 'Make a volume out of a stream that comes on standard input',
    operands: [POOL, NAME],
    options: [
      JSON_OUTPUT,
      { long: 'input', short: 'i', value: 'FILE', help: 'Read a file' },
      { long: 'writable', help: 'Make a writable volume, not a snapshot' },
    ],
    load: () => import('./volume-receive.ts'),
  },
];

const SERVE: CommandSpec = {
  name: 'serve',
  about: 'Serve the volumes of a pool over NBD until it is told to stop',
  operands: [{ ...POOL, optional: true }],
  options: [
    { long: 'json', help: 'Print what happens as lines of JSON' },
    { long: 'create', help: 'Make the pool, with one volume "disk", if there is none' },
    { long: 'socket', value: 'PATH', help: 'Listen on this unix socket [default: POOL/run/nbd.sock]' },
    { long: 'listen', value: 'HOST:PORT', help: 'Listen on TCP instead', conflicts: ['socket'] },
    { long: 'tls-dir', value: 'FOLDER', help: 'Demand TLS, with the certificates in this folder' },
    { long: 'tls-verify-peer', help: 'Demand certificates of clients, too' },
    { long: 'tls-psk', value: 'FILE', help: 'Demand TLS, with the keys in this file', conflicts: ['tls-dir'] },
    { long: 'insecure', help: 'Listen where others can reach it although there is no TLS' },
    { long: 'read-only', short: 'r', help: 'Let nobody write; the files are not changed' },
    { long: 'export', short: 'e', value: 'NAME', multiple: true, help: 'Export only this volume' },
    { long: 'metrics', value: 'HOST:PORT', help: 'Serve metrics for Prometheus at http://HOST:PORT/metrics' },
    { long: 'no-space', value: 'WHAT', choices: ['wait', 'fail'], help: 'What writes do that find no data space' },
    { long: 'metadata', value: 'FILE', help: 'Serve a pool of Linux or LVM by device ids: its metadata' },
    { long: 'data', value: 'FILE', help: 'Its data' },
    {
      long: 'size',
      value: 'ID=SIZE',
      multiple: true,
      help: 'The size of a volume of such a pool [default: up to the last block that is mapped]',
    },
  ],
  load: () => import('./serve.ts'),
};

export const POOL_TABLE: readonly CommandSpec[] = [...POOL_COMMANDS, ...VOLUME_CHANGES, ...VOLUME_COMMANDS, SERVE];
