/** Writing back as commands do it: a check before, progress, Ctrl-C between buffers. */

import { setImmediate } from 'node:timers/promises';
import { CacheCheck, CacheWriteback } from 'persistent-data/cache';
import { type BlockDevice, FileDevice } from 'persistent-data/io';
import type { Arguments } from './arguments.ts';
import type { CacheDataDevices } from './cache-data-devices.ts';
import { openMetadataInput } from './files.ts';
import { Interruption } from './interruption.ts';
import type { Report } from './report.ts';

const MIB = 2 ** 20;

/** Whether metadata may be believed; says why not. */
export function isSoundCache(path: string, report: Report): boolean {
  const device = openMetadataInput(path, false);
  const progress = report.progress('blocks');
  try {
    const check = new CacheCheck(device, { onProgress: (done, total) => progress.update(done, total) });
    for (const { severity, message } of check.run()) {
      if (severity !== 'fatal') continue;
      progress.end();
      report.warn(
        `${message}\nmetadata contains errors (run cache_check for details).\nperhaps you need to run cache_repair.`,
      );
      return false;
    }
    return true;
  } finally {
    progress.end();
    device.close();
  }
}

/** Copies what is dirty, and marks it as clean unless it is to stay. What is interrupted goes on the next time. */
export async function writeBack(
  args: Arguments,
  metadataPath: string,
  { fast, origin, fastOffset, originOffset }: CacheDataDevices,
  report: Report,
): Promise<CacheWriteback> {
  const keepMetadata = args.has('no-metadata-update');
  const interruption = await Interruption.watch();
  let metadata: BlockDevice | undefined;
  const progress = report.progress('blocks');
  try {
    metadata = FileDevice.open(metadataPath, keepMetadata ? { readOnly: true } : {});
    const bufferMib = args.number('buffer-size-meg');
    const writeback = new CacheWriteback({
      metadata,
      fast,
      origin,
      fastOffset,
      originOffset,
      keepMetadata,
      ...(bufferMib === undefined ? {} : { bufferBytes: bufferMib * MIB }),
      retries: args.number('retry-count') ?? 0,
    });
    report.title('Copying cache blocks');
    for (const { done, total } of writeback.run()) {
      progress.update(done, total);
      // Signals are seen when the program waits.
      await setImmediate();
      interruption.check();
    }
    return writeback;
  } finally {
    progress.end();
    metadata?.close();
    interruption.end();
  }
}
