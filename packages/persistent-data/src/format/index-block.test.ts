import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { MAX_METADATA_BITMAPS } from './constants.ts';
import { INDEX_ENTRY, METADATA_INDEX, METADATA_INDEX_VALIDATOR } from './index-block.ts';

test('the entries of an index block fill it exactly', () => {
  const entries = METADATA_INDEX.fields.find(({ name }) => name === 'index');
  expect(entries).toMatchObject({ offset: 16, size: MAX_METADATA_BITMAPS * INDEX_ENTRY.size });
  expect(METADATA_INDEX.size).toBe(4096);
});

test('the index block of a real image is sealed with its checksum', () => {
  const slab = Slab.ofSize(4096);
  slab.bytes.set([9, 0, 0, 0, 0, 0, 0, 0, 0xb4, 0x3f, 0, 0, 0x0c], METADATA_INDEX.offset('index'));
  METADATA_INDEX_VALIDATOR.seal(slab, 0, 11);
  expect(Array.from(slab.bytes.subarray(0, 16))).toEqual([0x0a, 0xec, 0xd9, 0x66, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0]);
  METADATA_INDEX_VALIDATOR.check(slab, 0, 11);
});
