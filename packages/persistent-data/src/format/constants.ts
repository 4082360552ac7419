/** Bytes in a metadata block; also the bytes the checksum, geometry and views below assume. */
export const METADATA_BLOCK_SIZE = 4096;
/** 32-bit words in a metadata block. */
export const WORDS_PER_BLOCK = METADATA_BLOCK_SIZE / 4;
/** `base >>> WORD_SHIFT` is the slot of the cache that holds the word. */
export const WORD_SHIFT = 10;
/** Bytes in a sector, the unit of the device-mapper's tables. */
export const SECTOR_SIZE = 512;
export const METADATA_BLOCK_SECTORS = METADATA_BLOCK_SIZE / SECTOR_SIZE;

/** The superblock of every target and of a `Store`. */
export const SUPERBLOCK_LOCATION = 0;

/** Two-bit entries in a bitmap block: (4096 - 16) * 4. */
export const ENTRIES_PER_BITMAP = 16320;
/** Index entries in a metadata index block: (4096 - 16) / 16. */
export const MAX_METADATA_BITMAPS = 255;
/** The most blocks that a metadata space map can describe: 255 * 16320, 15.88 GiB. */
export const MAX_METADATA_BLOCKS = MAX_METADATA_BITMAPS * ENTRIES_PER_BITMAP;
/** Bytes of the area for a space map's root in a superblock, of which the first 32 are used. */
export const SPACE_MAP_ROOT_AREA = 128;

/** Xor-ed into a block's checksum, so that the checksum tells what kind of block it is. */
export const SALT = {
  btreeNode: 121107,
  arrayBlock: 595846735,
  metadataIndex: 160478,
  bitmap: 240779,
  thinSuperblock: 160774,
  cacheSuperblock: 9031977,
  eraSuperblock: 146538381,
  storeSuperblock: 0x5d_a7_a5_70,
} as const;
