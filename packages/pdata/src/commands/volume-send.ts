/** `volume send`: writes a snapshot, or its difference to another one, as a stream. */

import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { OutputStream, writeAll, writeOutputFile } from '../output-file.ts';
import { withPool } from '../pool-session.ts';
import { Report } from '../report.ts';
import { parseBytes } from '../size-text.ts';

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
  const send = (write: (record: Uint8Array) => Promise<void> | void): Promise<void> =>
    withPool(args.operand(0), { readOnly: false }, async (session, interruption) => {
      let sent = 0;
      for await (const record of session.send(params)) {
        const written = write(record);
        if (written !== undefined) await interruption.race(written);
        sent += record.length;
        progress.update(Math.floor(sent / MIB), Math.ceil(sent / MIB));
      }
    });
  const stream = output === undefined ? new OutputStream() : undefined;
  try {
    if (stream !== undefined) await send((record) => stream.write(record));
    else await writeOutputFile(output!, { overwrite: false }, (fd) => send((record) => writeAll(fd, record, null)));
  } finally {
    progress.end();
    stream?.close();
  }
  return EXIT.ok;
}
