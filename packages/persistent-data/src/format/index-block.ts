import { MAX_METADATA_BITMAPS, METADATA_BLOCK_SIZE, SALT } from './constants.ts';
import { Layout } from './layout.ts';
import { blockValidator } from './validator.ts';

/** One bitmap block of a space map: in the index block (metadata) or in the index tree (data). */
export const INDEX_ENTRY = new Layout('index_entry', 16, {
  blocknr: 'u64',
  nrFree: 'u32',
  noneFreeBefore: 'u32',
});

/** The header of a metadata index block; {@link MAX_METADATA_BITMAPS} entries follow and fill the block. */
export const METADATA_INDEX = new Layout('metadata_index', METADATA_BLOCK_SIZE, {
  csum: 'u32',
  padding: 'u32',
  blocknr: 'u64',
  index: MAX_METADATA_BITMAPS * INDEX_ENTRY.size,
});

export const METADATA_INDEX_VALIDATOR = blockValidator({
  kind: 'metadata_index',
  salt: SALT.metadataIndex,
  blocknrWord: METADATA_INDEX.word('blocknr'),
});
