import type { BlockManagerOptions } from '../block-manager/index.ts';
import type { DirtyTest } from './dirty-bits.ts';
import type { CachePolicy } from './policy.ts';
import type { CacheStatistics, CacheVersion } from './superblock.ts';

/** What a cache's metadata can still do. */
export type CacheMode = 'write' | 'read-only' | 'fail';

export interface CacheMetadataOptions {
  /** Cache of metadata, in 4096-byte blocks. Default 4096 (16 MiB). */
  readonly cacheBlocks?: number;
  /** Opens for reading only. Default: what the device says. */
  readonly readOnly?: boolean;
}

export interface CacheFormatOptions extends CacheMetadataOptions {
  /** 512-byte sectors: 64 (32 KiB) to 2097152 (1 GiB), a multiple of 64. Fixed for ever. */
  readonly dataBlockSizeSectors: number;
  /** Of the format; default 2. */
  readonly version?: CacheVersion;
}

export interface CacheOpenOptions extends CacheMetadataOptions {
  /** What the size of a block has to be, in 512-byte sectors. Default: as it is. */
  readonly dataBlockSizeSectors?: number;
  /** Formats, in this version, a device whose superblock is all zeros, as the kernel does; the size of a block has to be given. */
  readonly formatBlank?: CacheVersion;
}

/** What is known in core when a cache ends in order. */
export interface CacheShutdown {
  readonly isDirty: DirtyTest;
  readonly statistics?: CacheStatistics;
  /** Regions of the origin whose content is of no interest, for {@link CacheMetadata.resizeDiscards}. Default: as they are stored. */
  readonly discards?: {
    readonly blockSizeSectors: number;
    readonly nrBlocks: number;
    readonly isDiscarded: (region: number) => boolean;
  };
  /** Whose hints; default smq. */
  readonly policy?: CachePolicy;
  /** A u32 for each cache block; default 0. */
  readonly hintAt?: (cacheBlock: number) => number;
}

/** One mapping. */
export interface CacheMapping {
  readonly originBlock: number;
  /** As stored: of the last orderly end, and to be believed only after one. */
  readonly dirty: boolean;
}

export function managerOptions({ cacheBlocks = 4096, readOnly }: CacheMetadataOptions): BlockManagerOptions {
  return { cacheBlocks, ...(readOnly === undefined ? {} : { readOnly }) };
}
