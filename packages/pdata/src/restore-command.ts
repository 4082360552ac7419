/** The skeleton of `thin_restore`, `cache_restore` and `era_restore`: builds metadata out of XML. */

import { open } from 'node:fs/promises';
import { type BlockDevice, FileDevice } from 'persistent-data/io';
import type { Arguments } from './arguments.ts';
import { EXIT } from './command.ts';
import { checkInputFile, checkOutputFile, refuseSameFile } from './files.ts';
import { Interruption } from './interruption.ts';
import { type Progress, Report } from './report.ts';
import { writeStdout } from './standard-output.ts';

const CHUNK_BYTES = 1 << 20;
const MIB = 1 << 20;

/**
 * The bytes of a file, telling how far it has been read. Between chunks signals are seen. Two buffers take turns: while one is worked on, the other is
 * filled in another thread, and no memory is asked for.
 */
async function* chunksOf(path: string, progress: Progress, interruption: Interruption): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  const buffers = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)] as const;
  let coming = file.read(buffers[0]);
  try {
    const { size } = await file.stat();
    for (let done = 0, turn = 1; ; turn = 1 - turn) {
      const { buffer, bytesRead } = await coming;
      if (bytesRead === 0) return;
      coming = file.read(buffers[turn as 0 | 1]);
      interruption.check();
      yield buffer.subarray(0, bytesRead);
      done += bytesRead;
      progress.update(Math.floor(done / MIB), Math.ceil(size / MIB));
    }
  } finally {
    // Whoever stops early does not want the next chunk.
    await coming.catch(() => undefined);
    await file.close();
  }
}

/** Opens input and output, lets `restore` read the one and write the other, closes. Ctrl-C leaves what no tool takes for metadata. */
export async function runRestore(
  args: Arguments,
  restore: (chunks: AsyncIterable<Uint8Array>, device: BlockDevice) => Promise<void>,
): Promise<number> {
  const input = args.required('input');
  const output = args.required('output');
  checkInputFile(input);
  checkOutputFile(output);
  refuseSameFile(input, output);
  const asJson = args.has('json');
  const report = new Report({ quiet: args.has('quiet') || asJson });
  const interruption = await Interruption.watch();
  try {
    const device = FileDevice.open(output);
    const progress = report.progress('MiB');
    try {
      await restore(chunksOf(input, progress, interruption), device);
    } finally {
      progress.end();
      device.close();
    }
  } finally {
    interruption.end();
  }
  if (asJson) writeStdout(`${JSON.stringify({ version: 1, output }, undefined, 2)}\n`);
  return EXIT.ok;
}
