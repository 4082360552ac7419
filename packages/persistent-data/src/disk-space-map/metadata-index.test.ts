import { describe, expect, test } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError } from '../base/index.ts';
import { METADATA_INDEX_VALIDATOR } from '../format/index.ts';
import { emptyIndexEntry } from './bitmap-index.ts';
import { MetadataIndex } from './metadata-index.ts';

function indexOf(count: number) {
  const space = new ScratchSpace();
  const index = new MetadataIndex(space.tm);
  index.create();
  for (let i = 0; i < count; i++) index.append(i, { blocknr: 1000 + i, nrFree: 16320 - i, noneFreeBefore: i });
  return { space, index };
}

function load(index: MetadataIndex, i: number) {
  const entry = emptyIndexEntry();
  index.load(i, entry);
  return entry;
}

test('entries are kept in core, and come to the disk with a commit', () => {
  const { space, index } = indexOf(255);
  expect(load(index, 254)).toEqual({ blocknr: 1254, nrFree: 16066, noneFreeBefore: 254 });
  const other = new MetadataIndex(space.tm);
  other.open(index.root);
  expect(() => load(other, 0)).toThrow(CorruptionError);
  index.commit();
  other.open(index.root);
  for (let i = 0; i < 255; i++) expect(load(other, i)).toEqual(load(index, i));
});

describe('a commit', () => {
  test('moves the index block if an entry changed since the last, and else does nothing', () => {
    const { space, index } = indexOf(3);
    index.commit();
    space.commit();
    const before = index.root;
    index.commit();
    expect(index.root).toBe(before);
    index.save(1, { blocknr: 5, nrFree: 1, noneFreeBefore: 0 });
    index.commit();
    expect(index.root).not.toBe(before);
    const after = index.root;
    index.commit();
    expect([index.root, space.tm.nrShadows]).toEqual([after, 1]);
  });

  test('copies the entries after the shadowing, which may change them', () => {
    const { space, index } = indexOf(3);
    index.commit();
    space.commit();
    index.save(1, { blocknr: 5, nrFree: 1, noneFreeBefore: 0 });
    // As a metadata map does: to allocate the shadow is counted, and that changes an entry.
    space.tm.trace = ({ event }) => {
      if (event === 'shadow') index.save(2, { blocknr: 6, nrFree: 2, noneFreeBefore: 0 });
    };
    index.commit();
    const { words } = space.blockManager.slab;
    const base = space.blockManager.read(index.root, METADATA_INDEX_VALIDATOR);
    expect([words[base + 4 + 4], words[base + 4 + 8]]).toEqual([5, 6]);
  });
});

test('an entry without a bitmap is corruption', () => {
  const { index } = indexOf(3);
  let error: unknown;
  try {
    load(index, 3);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(CorruptionError);
  expect(error).toMatchObject({ block: index.root, kind: 'metadata_index', field: 'blocknr', found: 0 });
});

test('there is room for 255 bitmaps', () => {
  const { index } = indexOf(255);
  expect(() => index.append(255, { blocknr: 1, nrFree: 1, noneFreeBefore: 0 })).toThrow(
    new RangeError('Cannot extend the space map beyond 255 bitmaps'),
  );
});

test('the last entry is taken away, to the last byte', () => {
  const { space, index } = indexOf(3);
  index.removeLast(2);
  index.commit();
  expect(() => load(index, 2)).toThrow(CorruptionError);
  const { words } = space.blockManager.slab;
  const base = space.blockManager.read(index.root, METADATA_INDEX_VALIDATOR);
  expect(Array.from(words.subarray(base + 4 + 8, base + 1024))).toEqual(new Array(1024 - 12).fill(0));
});

test('a frozen index keeps the blocks of its moment', () => {
  const { index } = indexOf(3);
  const frozen = index.freeze(3);
  index.save(1, { blocknr: 2 ** 40, nrFree: 1, noneFreeBefore: 0 });
  expect([0, 1, 2].map((i) => frozen.bitmapBlock(i))).toEqual([1000, 1001, 1002]);
  expect(index.freeze(3).bitmapBlock(1)).toBe(2 ** 40);
});
