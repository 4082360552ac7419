/**
 * format: every on-disk struct, magic number and checksum, declared once as data, and the views that read blocks in place.
 *
 * No I/O. Promises: whatever a validator has let pass, a view can read without leaving the block. Kernel counterparts: the
 * `__packed` structs of dm-btree-internal.h, dm-space-map-common.h, dm-array.c, dm-thin-metadata.c and dm-era-target.c, and their validators.
 *
 * @module
 */
export { ARRAY_HEADER, ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor } from './array-block.ts';
export {
  BITMAP_HEADER,
  BITMAP_VALIDATOR,
  bitmapCount,
  bitmapToString,
  bitmapUsedMask,
  COUNT_OVERFLOW,
  setBitmapCount,
} from './bitmap.ts';
export { type MetadataBlockKind, metadataBlockKind } from './block-kind.ts';
export {
  INTERNAL_MAX_ENTRIES,
  MAX_VALUE_SIZE,
  maxEntriesFor,
  NODE_FLAG_INTERNAL,
  NODE_FLAG_LEAF,
  NODE_HEADER,
  NODE_VALIDATOR,
  NodeView,
} from './btree-node.ts';
export {
  CACHE_FLAG_CLEAN_SHUTDOWN,
  CACHE_FLAG_NEEDS_CHECK,
  CACHE_MAGIC,
  CACHE_MAPPING_DIRTY,
  CACHE_MAPPING_VALID,
  CACHE_SUPERBLOCK,
  CACHE_SUPERBLOCK_VALIDATOR,
  CACHE_VERSION,
} from './cache-superblock.ts';
export {
  ENTRIES_PER_BITMAP,
  MAX_METADATA_BITMAPS,
  MAX_METADATA_BLOCKS,
  METADATA_BLOCK_SECTORS,
  METADATA_BLOCK_SIZE,
  SALT,
  SECTOR_SIZE,
  SPACE_MAP_ROOT_AREA,
  SUPERBLOCK_LOCATION,
  WORD_SHIFT,
  WORDS_PER_BLOCK,
} from './constants.ts';
export { blockChecksum, crc32cBytes, crc32cWords } from './crc32c.ts';
export {
  ERA_FLAG_CLEAN_SHUTDOWN,
  ERA_MAGIC,
  ERA_SUPERBLOCK,
  ERA_SUPERBLOCK_VALIDATOR,
  ERA_VERSION,
  ERA_WRITESET,
} from './era-superblock.ts';
export { INDEX_ENTRY, METADATA_INDEX, METADATA_INDEX_VALIDATOR } from './index-block.ts';
export { type Field, type FieldType, Layout } from './layout.ts';
export { BlockPacker } from './pack-block.ts';
export { readSpaceMapRoot, SPACE_MAP_ROOT, type SpaceMapRoot, writeSpaceMapRoot } from './space-map-root.ts';
export {
  JOURNAL_HEADER,
  JOURNAL_KIND,
  JOURNAL_MAGIC,
  PROOF_ENTRY,
  STORE_DESCRIPTOR,
  STORE_KIND,
  STORE_MAGIC,
  STORE_NAME,
  STORE_SNAPSHOT,
  STORE_SNAPSHOT_HIDDEN,
  STORE_SUPERBLOCK,
  STORE_SUPERBLOCK_VALIDATOR,
  STORE_VERSION,
} from './store-superblock.ts';
export {
  DEVICE_DETAILS,
  THIN_FLAG_NEEDS_CHECK,
  THIN_MAGIC,
  THIN_SUPERBLOCK,
  THIN_SUPERBLOCK_VALIDATOR,
  THIN_VERSION,
} from './thin-superblock.ts';
export { BlockUnpacker } from './unpack-block.ts';
export { type BlockKind, type BlockValidator, blockValidator, type FieldProblem } from './validator.ts';
