/** `cache_dump`: metadata as XML, on standard output or into a file. */

import { CacheNdjsonWriter, CacheXmlWriter, dumpCache } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { runDump, wantsNdjson } from '../dump-command.ts';

export function run(args: Arguments): number {
  const Writer = wantsNdjson(args) ? CacheNdjsonWriter : CacheXmlWriter;
  return runDump(args, false, ({ device, sink, onProgress }) => {
    dumpCache(device, new Writer(sink), { onProgress, ...(args.has('repair') && { repair: {} }) });
  });
}
