/** `volume send`: writes a snapshot, or its difference to another one, as a stream. */

import { closeSync, openSync } from 'node:fs';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { writeAll } from '../raw-file.ts';
import { Report } from '../report.ts';
import { parseBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

const MIB = 2 ** 20;

export async function run(args: Arguments): Promise<number> {
  const output = args.text('output');
  if (output === undefined && process.stdout.isTTY) {
    throw new Error('Cannot send to a terminal: give --output, or a pipe');
  }
  const base = args.text('base');
  const from = args.text('from');
  const params = {
    name: args.operand(1),
    ...(base === undefined ? {} : { base }),
    ...(from === undefined ? {} : { from: parseBytes(from, '--from <BYTE>') }),
  };
  const progress = new Report({ quiet: false }).progress('MiB');
  const fd = output === undefined ? undefined : openSync(output, 'wx');
  let sent = 0;
  try {
    await withPool(args.operand(0), { readOnly: false }, async (session) => {
      for await (const record of session.send(params)) {
        if (fd === undefined) writeStdout(record);
        else writeAll(fd, record, null);
        sent += record.length;
        progress.update(Math.floor(sent / MIB), Math.ceil(sent / MIB));
      }
    });
  } finally {
    progress.end();
    if (fd !== undefined) closeSync(fd);
  }
  return EXIT.ok;
}
