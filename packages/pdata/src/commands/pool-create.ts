/** `pool create`: makes a pool in a folder. */

import { Pool } from 'persistent-data/pool';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { printJson } from '../print-json.ts';
import { parseBytes, readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

export async function run(args: Arguments): Promise<number> {
  const folder = args.operand(0);
  const size = args.text('size');
  const block = args.text('block-size');
  const pool = Pool.create(folder, {
    ...(size === undefined ? {} : { sizeBytes: parseBytes(size, '--size <SIZE>') }),
    ...(block === undefined ? {} : { blockBytes: parseBytes(block, '--block-size <SIZE>') }),
  });
  const status = pool.status();
  await pool.close();
  if (args.has('json')) printJson({ version: 1, pool: folder, ...status });
  else {
    const { dataBytes, blockBytes } = status;
    writeStdout(`${folder}: a pool of ${readableBytes(dataBytes)} in blocks of ${readableBytes(blockBytes)}\n`);
  }
  return EXIT.ok;
}
