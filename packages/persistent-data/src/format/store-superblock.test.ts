import { expect, test } from 'vitest';
import { CorruptionError, Slab } from '../base/index.ts';
import { maxEntriesFor } from './btree-node.ts';
import { SECTOR_SIZE } from './constants.ts';
import {
  JOURNAL_HEADER,
  STORE_MAGIC,
  STORE_NAME,
  STORE_SNAPSHOT,
  STORE_SUPERBLOCK,
  STORE_SUPERBLOCK_VALIDATOR,
} from './store-superblock.ts';

test('all fields of a superblock lie in one sector', () => {
  expect(STORE_SUPERBLOCK.size).toBe(SECTOR_SIZE);
  expect(String.fromCharCode(...[0, 8, 16, 24, 32].map((shift) => Math.floor(STORE_MAGIC / 2 ** shift) & 0xff))).toBe(
    'pdata',
  );
});

test('records fit into nodes, and journal records begin at whole words', () => {
  expect(maxEntriesFor(STORE_NAME.size)).toBe(3);
  expect(maxEntriesFor(STORE_SNAPSHOT.size)).toBeGreaterThanOrEqual(12);
  expect(JOURNAL_HEADER.size % 8).toBe(0);
});

test('a superblock is believed with its number, its magic and its checksum', () => {
  const slab = Slab.ofSize(4096);
  expect(() => STORE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow(/magic is 0/);
  slab.words[STORE_SUPERBLOCK.word('magic')] = STORE_MAGIC >>> 0;
  slab.words[STORE_SUPERBLOCK.word('magic') + 1] = STORE_MAGIC / 2 ** 32;
  expect(() => STORE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow(/csum/);
  STORE_SUPERBLOCK_VALIDATOR.seal(slab, 0, 1);
  STORE_SUPERBLOCK_VALIDATOR.check(slab, 0, 1);
  expect(() => STORE_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow(CorruptionError);
});
