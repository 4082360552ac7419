import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { ARRAY_HEADER } from './array-block.ts';
import { BITMAP_HEADER } from './bitmap.ts';
import { NODE_HEADER } from './btree-node.ts';
import { INDEX_ENTRY, METADATA_INDEX } from './index-block.ts';
import { Layout } from './layout.ts';
import { SPACE_MAP_ROOT } from './space-map-root.ts';
import { DEVICE_DETAILS, THIN_SUPERBLOCK } from './thin-superblock.ts';

test('a layout gives each field its offset, packed, in the order of the format', () => {
  const layout = new Layout('sample', 19, { a: 'u8', b: 'u16', c: 'u8', d: 'u32', e: 'u64', f: 3 });
  expect(layout.fields).toEqual([
    { name: 'a', type: 'u8', offset: 0, size: 1 },
    { name: 'b', type: 'u16', offset: 1, size: 2 },
    { name: 'c', type: 'u8', offset: 3, size: 1 },
    { name: 'd', type: 'u32', offset: 4, size: 4 },
    { name: 'e', type: 'u64', offset: 8, size: 8 },
    { name: 'f', type: 3, offset: 16, size: 3 },
  ]);
  expect([layout.offset('e'), layout.word('e')]).toEqual([8, 2]);
});

test('a layout whose fields do not add up fails when it is made', () => {
  expect(() => new Layout('sample', 9, { a: 'u64' })).toThrow('layout sample: fields take 8 bytes, 9 are declared');
});

test('a layout refuses a field it does not have, and a word offset for one that begins at no word', () => {
  const layout = new Layout('sample', 5, { a: 'u8', b: 'u32' });
  expect(() => layout.word('b')).toThrow(new AssertionError('layout sample: b does not begin at a word'));
  expect(() => layout.offset('c' as 'a')).toThrow(new AssertionError('layout sample has no field c'));
});

// The offsets of docs/format.md, one by one: a field that moves by a byte fails here.
describe.each<[Layout<string>, number, Record<string, number>]>([
  [NODE_HEADER, 32, { csum: 0, flags: 4, blocknr: 8, nrEntries: 16, maxEntries: 20, valueSize: 24, padding: 28 }],
  [BITMAP_HEADER, 16, { csum: 0, unused: 4, blocknr: 8 }],
  [ARRAY_HEADER, 24, { csum: 0, maxEntries: 4, nrEntries: 8, valueSize: 12, blocknr: 16 }],
  [METADATA_INDEX, 4096, { csum: 0, padding: 4, blocknr: 8, index: 16 }],
  [INDEX_ENTRY, 16, { blocknr: 0, nrFree: 8, noneFreeBefore: 12 }],
  [SPACE_MAP_ROOT, 32, { nrBlocks: 0, nrAllocated: 8, bitmapRoot: 16, refCountRoot: 24 }],
  [DEVICE_DETAILS, 24, { mappedBlocks: 0, transactionId: 8, creationTime: 16, snapshottedTime: 20 }],
  [
    THIN_SUPERBLOCK,
    364,
    {
      csum: 0,
      flags: 4,
      blocknr: 8,
      uuid: 16,
      magic: 32,
      version: 40,
      time: 44,
      transId: 48,
      heldRoot: 56,
      dataSpaceMapRoot: 64,
      metadataSpaceMapRoot: 192,
      dataMappingRoot: 320,
      deviceDetailsRoot: 328,
      dataBlockSize: 336,
      metadataBlockSize: 340,
      metadataNrBlocks: 344,
      compatFlags: 352,
      compatRoFlags: 356,
      incompatFlags: 360,
    },
  ],
])('%o', (layout, size, offsets) => {
  test('has the offsets of the format', () => {
    expect(layout.size).toBe(size);
    expect(Object.fromEntries(layout.fields.map(({ name, offset }) => [name, offset]))).toEqual(offsets);
  });
});
