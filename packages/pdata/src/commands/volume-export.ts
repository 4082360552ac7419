/** `volume export`: writes a volume into a raw, sparse file. One that is written meanwhile is taken as it is when the command begins. */

import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { writeRawFile } from '../raw-file.ts';
import { Report } from '../report.ts';
import { readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

export async function run(args: Arguments): Promise<number> {
  const [folder, name, path] = [args.operand(0), args.operand(1), args.operand(2)];
  const report = new Report({ quiet: args.has('json') });
  const options = { overwrite: args.has('force'), progress: report.progress('MiB') };
  const { sizeBytes, dataBytes } = await withPool(folder, { readOnly: false }, (session) =>
    writeRawFile(path, session.send({ name }), options),
  );
  if (args.has('json')) printJson({ version: 1, pool: folder, name, file: path, sizeBytes, dataBytes });
  else writeStdout(`${path}: ${readableBytes(sizeBytes)}, of which ${readableBytes(dataBytes)} are data\n`);
  return EXIT.ok;
}
