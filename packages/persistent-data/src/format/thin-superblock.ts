import { SALT, SPACE_MAP_ROOT_AREA } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator, magicCheck } from './validator.ts';

/** The superblock of a thin pool, block 0; a metadata snapshot is a copy of it elsewhere (`heldRoot`). */
export const THIN_SUPERBLOCK = new Layout('thin_superblock', 364, {
  csum: 'u32',
  flags: 'u32',
  blocknr: 'u64',
  uuid: 16,
  magic: 'u64',
  version: 'u32',
  time: 'u32',
  transId: 'u64',
  heldRoot: 'u64',
  dataSpaceMapRoot: SPACE_MAP_ROOT_AREA,
  metadataSpaceMapRoot: SPACE_MAP_ROOT_AREA,
  dataMappingRoot: 'u64',
  deviceDetailsRoot: 'u64',
  dataBlockSize: 'u32',
  metadataBlockSize: 'u32',
  metadataNrBlocks: 'u64',
  compatFlags: 'u32',
  compatRoFlags: 'u32',
  incompatFlags: 'u32',
});

export const THIN_MAGIC = 27022010;
export const THIN_VERSION = 2;
/** Bit 0 of `flags`: the pool has to be checked before it may be written again. */
export const THIN_FLAG_NEEDS_CHECK = 1;

/** The value of the tree of device details. */
export const DEVICE_DETAILS = new Layout('device_details', 24, {
  mappedBlocks: 'u64',
  transactionId: 'u64',
  creationTime: 'u32',
  snapshottedTime: 'u32',
});

export const THIN_SUPERBLOCK_VALIDATOR = blockValidator({
  kind: 'thin_superblock',
  salt: SALT.thinSuperblock,
  blocknrWord: THIN_SUPERBLOCK.word('blocknr'),
  checkMagic: magicCheck(THIN_SUPERBLOCK.word('magic'), THIN_MAGIC),
});
