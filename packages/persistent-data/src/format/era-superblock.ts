import { SALT, SPACE_MAP_ROOT_AREA } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator, magicCheck } from './validator.ts';

/** The superblock of an era device, block 0; a metadata snapshot is a copy of it elsewhere (`metadataSnap`). */
export const ERA_SUPERBLOCK = new Layout('era_superblock', 224, {
  csum: 'u32',
  flags: 'u32',
  blocknr: 'u64',
  uuid: 16,
  magic: 'u64',
  version: 'u32',
  metadataSpaceMapRoot: SPACE_MAP_ROOT_AREA,
  dataBlockSize: 'u32',
  metadataBlockSize: 'u32',
  nrBlocks: 'u32',
  currentEra: 'u32',
  currentWritesetNrBits: 'u32',
  currentWritesetRoot: 'u64',
  writesetTreeRoot: 'u64',
  eraArrayRoot: 'u64',
  metadataSnap: 'u64',
});

export const ERA_MAGIC = 2126579579;
export const ERA_VERSION = 1;
/** Bit 0 of `flags`: the userland tools set it, the kernel never does, and nobody reads it. */
export const ERA_FLAG_CLEAN_SHUTDOWN = 1;

/** The value of the tree of archived writesets: a bitset, and its length in bits. */
export const ERA_WRITESET = new Layout('era_writeset', 12, { nrBits: 'u32', root: 'u64' });

export const ERA_SUPERBLOCK_VALIDATOR = blockValidator({
  kind: 'era_superblock',
  salt: SALT.eraSuperblock,
  blocknrWord: ERA_SUPERBLOCK.word('blocknr'),
  checkMagic: magicCheck(ERA_SUPERBLOCK.word('magic'), ERA_MAGIC),
});
