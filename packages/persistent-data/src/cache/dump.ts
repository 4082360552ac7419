import type { BlockDevice } from '../io/index.ts';
import { BlockBits } from './check-arrays.ts';
import { OriginSet } from './origin-set.ts';
import { CacheReader, type OnLost } from './read-arrays.ts';
import { originBlocks } from './superblock.ts';
import type { CacheVisitor } from './visitor.ts';
import { CacheXmlWriter } from './xml-writer.ts';

/** What a repair leaves out although it can be read, and why. */
export type LeftOut = 'twice' | 'beyond-origin';

/** What to dump. */
export interface CacheDumpOptions {
  /** Goes on where something cannot be read, and tells; leaves out what cannot be restored. Default: the dump ends there. */
  readonly repair?: {
    readonly onLost?: OnLost;
    readonly onLeftOut?: (cacheBlock: number, originBlock: number, why: LeftOut) => void;
  };
  /** Called now and then with the metadata blocks read so far, of those that are allocated as the superblock says. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Tells a visitor what a cache's metadata has in it; dirty is what is stored, whether the last end was an orderly one or not. Reads each array block
 * once; takes two bits of memory per cache block.
 *
 * @throws {CorruptionError} when something cannot be believed; for a repair, only of the superblock.
 * @throws {UnsupportedError} when the version is not known.
 */
export function dumpCache(device: BlockDevice, visitor: CacheVisitor, options: CacheDumpOptions = {}): void {
  const { repair, onProgress } = options;
  const reader = new CacheReader(device, {
    ...(repair && { onLost: repair.onLost ?? (() => undefined) }),
    ...(onProgress && { onProgress }),
  });
  const { superblock } = reader;
  const { dataBlockSize, cacheBlocks, policy } = superblock;
  visitor.superblockBegin({
    uuid: '',
    blockSize: dataBlockSize,
    nrCacheBlocks: cacheBlocks,
    policy: policy.name,
    hintWidth: policy.hintSize,
  });
  const mapped = new BlockBits();
  visitor.mappingsBegin();
  if (repair === undefined) {
    reader.mappings((cacheBlock, originBlock, dirty) => {
      mapped.set(cacheBlock);
      visitor.mapping(cacheBlock, originBlock, dirty);
    });
  } else {
    const origins = new OriginSet();
    const nrOrigin = originBlocks(superblock) ?? Number.POSITIVE_INFINITY;
    reader.mappings((cacheBlock, originBlock, dirty) => {
      // Restored, it would not pass a check.
      const why = originBlock >= nrOrigin ? 'beyond-origin' : origins.add(originBlock) ? 'twice' : undefined;
      if (why !== undefined) {
        repair.onLeftOut?.(cacheBlock, originBlock, why);
        return;
      }
      mapped.set(cacheBlock);
      visitor.mapping(cacheBlock, originBlock, dirty);
    });
  }
  visitor.mappingsEnd();
  visitor.hintsBegin();
  reader.hints((cacheBlock, value) => {
    if (mapped.has(cacheBlock)) visitor.hint(cacheBlock, value);
  });
  visitor.hintsEnd();
  visitor.superblockEnd();
}

/** The XML of a cache, as `cache_dump` of version 1.x prints it. For caches that fit into memory as text. */
export function dumpCacheXml(device: BlockDevice, options: CacheDumpOptions = {}): string {
  const decoder = new TextDecoder();
  let text = '';
  const writer = new CacheXmlWriter((bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  dumpCache(device, writer, options);
  return text + decoder.decode();
}
