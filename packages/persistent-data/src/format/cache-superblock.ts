import { SALT, SPACE_MAP_ROOT_AREA } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator, magicCheck } from './validator.ts';

/** The superblock of a cache, block 0. Version 1 ends before `dirtyRoot`. */
export const CACHE_SUPERBLOCK = new Layout('cache_superblock', 292, {
  csum: 'u32',
  flags: 'u32',
  blocknr: 'u64',
  uuid: 16,
  magic: 'u64',
  version: 'u32',
  policyName: 16,
  policyHintSize: 'u32',
  metadataSpaceMapRoot: SPACE_MAP_ROOT_AREA,
  mappingRoot: 'u64',
  hintRoot: 'u64',
  discardRoot: 'u64',
  discardBlockSize: 'u64',
  discardNrBlocks: 'u64',
  dataBlockSize: 'u32',
  metadataBlockSize: 'u32',
  cacheBlocks: 'u32',
  compatFlags: 'u32',
  compatRoFlags: 'u32',
  incompatFlags: 'u32',
  readHits: 'u32',
  readMisses: 'u32',
  writeHits: 'u32',
  writeMisses: 'u32',
  policyVersion: 12,
  dirtyRoot: 'u64',
});

/** 06142003 in C, which a leading zero makes octal. */
export const CACHE_MAGIC = 0o6142003;
/** The newest version: 2 keeps dirty bits in a bitset of their own. */
export const CACHE_VERSION = 2;
/** Bit 0 of `flags`: dirty bits, hints and discards on the disk are those of an orderly end. */
export const CACHE_FLAG_CLEAN_SHUTDOWN = 1;
/** Bit 1 of `flags`: the metadata has to be checked before it may be written again. */
export const CACHE_FLAG_NEEDS_CHECK = 2;

/** An entry of the mapping array, a u64: the origin block in the upper 48 bits, these flags below. */
export const CACHE_MAPPING_VALID = 1;
/** Version 1 only: the cache block is newer than the origin's. */
export const CACHE_MAPPING_DIRTY = 2;

export const CACHE_SUPERBLOCK_VALIDATOR = blockValidator({
  kind: 'cache_superblock',
  salt: SALT.cacheSuperblock,
  blocknrWord: CACHE_SUPERBLOCK.word('blocknr'),
  checkMagic: magicCheck(CACHE_SUPERBLOCK.word('magic'), CACHE_MAGIC),
});
