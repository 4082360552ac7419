/** `volume export`: writes a volume into a raw, sparse file, or to standard output. One that is written meanwhile is taken as it is when the command begins. */

import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { OutputStream, writeOutputFile } from '../output-file.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { type RawOutcome, writeRawFile, writeRawStream } from '../raw-file.ts';
import { type Progress, Report } from '../report.ts';
import { readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';
import { UsageError } from '../usage-error.ts';

export async function run(args: Arguments): Promise<number> {
  const [folder, name, path] = [args.operand(0), args.operand(1), args.operand(2)];
  const progress = new Report({ quiet: args.has('json') }).progress('MiB');
  if (path === '-') {
    if (args.has('json')) throw new UsageError('--json and the volume cannot both go to standard output');
    await exportToOutput(folder, name, progress);
    return EXIT.ok;
  }
  const { sizeBytes, dataBytes } = await writeOutputFile(path, { overwrite: args.has('force') }, (fd) =>
    withPool(folder, { readOnly: false }, (session) => writeRawFile(fd, session.send({ name }), { progress })),
  );
  if (args.has('json')) printJson({ version: 1, pool: folder, name, file: path, sizeBytes, dataBytes });
  else writeStdout(`${path}: ${readableBytes(sizeBytes)}, of which ${readableBytes(dataBytes)} are data\n`);
  return EXIT.ok;
}

async function exportToOutput(folder: string, name: string, progress: Progress): Promise<RawOutcome> {
  if (process.stdout.isTTY) throw new Error('Cannot export to a terminal: name a file, or give a pipe');
  const output = new OutputStream();
  try {
    return await withPool(folder, { readOnly: false }, (session, interruption) =>
      writeRawStream(session.send({ name }), {
        progress,
        write: (bytes) => interruption.race(output.write(bytes)),
      }),
    );
  } finally {
    output.close();
  }
}
