/** `volume receive`: makes a volume out of a stream that `volume send` has written, from a file or standard input. */

import { createReadStream } from 'node:fs';
import type { ReceiveOutcome } from 'persistent-data/pool';
import type { Arguments } from '../arguments.ts';
import { EXIT } from '../command.ts';
import { checkInputFile } from '../files.ts';
import { withPool } from '../pool-session.ts';
import { printJson } from '../print-json.ts';
import { type Progress, Report } from '../report.ts';
import { readableBytes } from '../size-text.ts';
import { writeStdout } from '../standard-output.ts';

const MIB = 2 ** 20;

export async function run(args: Arguments): Promise<number> {
  const [folder, name] = [args.operand(0), args.operand(1)];
  const input = args.text('input');
  if (input !== undefined) checkInputFile(input);
  const source = input === undefined ? process.stdin : createReadStream(input);
  const progress = new Report({ quiet: args.has('json') }).progress('MiB');
  const params = { name, writable: args.has('writable') };
  const outcome = await withPool(folder, { readOnly: false }, (session) =>
    session.receive(params, counted(source, progress)),
  ).finally(() => {
    progress.end();
    // After an interruption it may still wait for what never comes.
    source.destroy();
  });
  const { sizeBytes, dataBytes, resumedAt } = outcome as ReceiveOutcome;
  if (args.has('json')) printJson({ version: 1, pool: folder, name, sizeBytes, dataBytes, resumedAt });
  else {
    const gone = resumedAt === 0 ? '' : `, went on at byte ${resumedAt}`;
    writeStdout(`${name}: ${readableBytes(sizeBytes)}, ${readableBytes(dataBytes)} of data received${gone}\n`);
  }
  return EXIT.ok;
}

async function* counted(source: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    progress.update(Math.floor(bytes / MIB), Math.ceil(bytes / MIB));
    yield piece;
  }
}
