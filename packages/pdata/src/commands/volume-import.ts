/** `volume import`: makes a volume out of a raw file. */

import type { ReceiveOutcome } from 'persistent-data/pool';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { rawFileStream } from '../raw-file.ts';
import { Report } from '../report.ts';
import { readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

export async function run(args: Arguments): Promise<number> {
  const [folder, name, path] = [args.operand(0), args.operand(1), args.operand(2)];
  if (path === '-') throw new Error('Cannot import from standard input: a file is wanted, whose length can be known');
  const report = new Report({ quiet: args.has('json') });
  const outcome = await withPool(folder, { readOnly: false }, (session) =>
    session.receive({ name, writable: true }, rawFileStream(path, { name, progress: report.progress('MiB') })),
  );
  const { sizeBytes, dataBytes } = outcome as ReceiveOutcome;
  if (args.has('json')) printJson({ version: 1, pool: folder, name, sizeBytes, dataBytes });
  else writeStdout(`${name}: ${readableBytes(sizeBytes)}, of which ${readableBytes(dataBytes)} are data\n`);
  return EXIT.ok;
}
