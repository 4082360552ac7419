import { expect, test } from 'vitest';
import * as constants from './constants.ts';

test('the constants have the values of the format, and agree with each other', () => {
  expect({ ...constants }).toMatchObject({
    METADATA_BLOCK_SIZE: 4096,
    WORDS_PER_BLOCK: 1024,
    WORD_SHIFT: 10,
    SECTOR_SIZE: 512,
    METADATA_BLOCK_SECTORS: 8,
    SUPERBLOCK_LOCATION: 0,
    ENTRIES_PER_BITMAP: (4096 - 16) * 4,
    MAX_METADATA_BITMAPS: (4096 - 16) / 16,
    MAX_METADATA_BLOCKS: 4_161_600,
    SPACE_MAP_ROOT_AREA: 128,
    SALT: {
      btreeNode: 0x1_d913,
      arrayBlock: 0x2383_e64f,
      metadataIndex: 0x2_72de,
      bitmap: 0x3_ac8b,
      thinSuperblock: 0x2_7406,
      cacheSuperblock: 0x89_d129,
      eraSuperblock: 0x8bb_ff8d,
    },
  });
  expect(2 ** constants.WORD_SHIFT).toBe(constants.WORDS_PER_BLOCK);
});
