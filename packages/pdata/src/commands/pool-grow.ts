/** `pool grow`: gives a pool more data space. */

import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { parseBytes } from '../size-text.ts';

export async function run(args: Arguments): Promise<number> {
  const sizeBytes = parseBytes(args.required('size'), '--size <SIZE>');
  const folder = args.operand(0);
  await withPool(folder, { readOnly: false }, (session) => session.call('grow', { sizeBytes }));
  if (args.has('json')) printJson({ version: 1, pool: folder, sizeBytes });
  return EXIT.ok;
}
