/** `cache_dump`: metadata as XML, on standard output or into a file. */

import { CacheXmlWriter, dumpCache } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { runDump } from '../dump-command.ts';

export function run(args: Arguments): number {
  return runDump(args, false, ({ device, sink, onProgress }) => {
    dumpCache(device, new CacheXmlWriter(sink), { onProgress, ...(args.has('repair') && { repair: {} }) });
  });
}
