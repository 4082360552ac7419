/** `cache_restore`: builds metadata out of XML. */

import { CacheRestore, readCacheXmlAsync } from 'persistent-data/cache';
import type { Arguments } from '../arguments.ts';
import { runRestore } from '../restore-command.ts';

export function run(args: Arguments): Promise<number> {
  const version = args.text('metadata-version') === '1' ? 1 : 2;
  const omitCleanShutdown = args.has('omit-clean-shutdown');
  return runRestore(args, (chunks, device) =>
    readCacheXmlAsync(chunks, new CacheRestore(device, { version, omitCleanShutdown })),
  );
}
