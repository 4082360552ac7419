import { CacheRestore } from '../../packages/persistent-data/src/cache/index.ts';
import { MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { type CacheShape, generateCache } from '../../packages/persistent-data/src/testing/index.ts';

/** A cache in memory, of 1500 cache blocks, 1200 of them mapped, in three array blocks. */
export function makeCache(
  version: 1 | 2 = 2,
  shape: Partial<CacheShape> = {},
  options: { readonly omitCleanShutdown?: boolean } = {},
): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 128 });
  generateCache(
    { nrCacheBlocks: 1500, nrMappings: 1200, fragmented: true, ...shape },
    new CacheRestore(device, { version, ...options }),
  );
  return device;
}
