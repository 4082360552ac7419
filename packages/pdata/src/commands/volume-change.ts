/** The commands that change one volume of a pool: each is one call. */

import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { parseBytes } from '../size-text.ts';

interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

const sizeOf = (args: Arguments): number => parseBytes(args.required('size'), '--size <SIZE>');

/** By the command's second word; operands after the pool. */
const CALLS: Readonly<Record<string, (args: Arguments) => Call>> = {
  create: (args) => ({ method: 'create', params: { name: args.operand(1), sizeBytes: sizeOf(args) } }),
  snapshot: (args) => ({ method: 'snapshot', params: { origin: args.operand(1), name: args.operand(2) } }),
  clone: (args) => ({ method: 'snapshot', params: { origin: args.operand(1), name: args.operand(2), writable: true } }),
  rollback: (args) => ({ method: 'rollback', params: { name: args.operand(1), to: args.operand(2) } }),
  merge: (args) => ({ method: 'merge', params: { snapshot: args.operand(1), into: args.operand(2) } }),
  delete: (args) => ({ method: 'delete', params: { name: args.operand(1) } }),
  rename: (args) => ({ method: 'rename', params: { name: args.operand(1), to: args.operand(2) } }),
  resize: (args) => ({ method: 'resize', params: { name: args.operand(1), sizeBytes: sizeOf(args) } }),
  protect: (args) => ({ method: 'protect', params: { name: args.operand(1), readOnly: !args.has('off') } }),
};

export async function run(args: Arguments): Promise<number> {
  const word = args.command.name.split(' ')[1]!;
  const { method, params } = CALLS[word]!(args);
  const folder = args.operand(0);
  await withPool(folder, { readOnly: false }, (session) => session.call(method, params));
  if (args.has('json')) printJson({ version: 1, pool: folder, done: method, ...params });
  return EXIT.ok;
}
