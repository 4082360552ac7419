import { afterEach, describe, expect, test, vi } from 'vitest';
import { ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError } from '../base/index.ts';
import { Btree } from '../btree/index.ts';
import { emptyIndexEntry } from './bitmap-index.ts';
import { DataIndex, INDEX_ENTRY_TYPE } from './data-index.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function indexOf(count: number) {
  const space = new ScratchSpace();
  const index = new DataIndex(space.tm);
  index.create();
  for (let i = 0; i < count; i++) index.append(i, { blocknr: 1000 + i, nrFree: 16320, noneFreeBefore: 0 });
  const load = (i: number) => {
    const entry = emptyIndexEntry();
    index.load(i, entry);
    return entry;
  };
  const tree = new Btree(space.tm, { valueType: INDEX_ENTRY_TYPE });
  return { space, index, load, inTree: (i: number) => tree.lookup(index.root, i) };
}

/** The keys of all inserts into the tree from now on. */
function watchInserts(): number[] {
  const keys: number[] = [];
  const { insert } = Btree.prototype;
  vi.spyOn(Btree.prototype, 'insert').mockImplementation(function (this: Btree<unknown>, root, key, value) {
    keys.push(key as number);
    return insert.call(this, root, key, value);
  });
  return keys;
}

test('an index entry has the bytes of the format', () => {
  const space = new ScratchSpace();
  const { slab } = space.blockManager;
  INDEX_ENTRY_TYPE.write(slab, 64, { blocknr: 6, nrFree: 0x3fba, noneFreeBefore: 2 });
  expect(Array.from(slab.bytes.subarray(64, 80))).toEqual([6, 0, 0, 0, 0, 0, 0, 0, 0xba, 0x3f, 0, 0, 2, 0, 0, 0]);
  expect(INDEX_ENTRY_TYPE.read(slab, 64)).toEqual({ blocknr: 6, nrFree: 0x3fba, noneFreeBefore: 2 });
});

describe('entries are held back', () => {
  test('and come back changed, without a change of the tree', () => {
    const { index, load, inTree } = indexOf(3);
    const { root } = index;
    index.save(1, { blocknr: 77, nrFree: 5, noneFreeBefore: 4 });
    expect([load(1), index.root, inTree(1)]).toEqual([{ blocknr: 77, nrFree: 5, noneFreeBefore: 4 }, root, undefined]);
    index.commit();
    expect(inTree(1)).toEqual({ blocknr: 77, nrFree: 5, noneFreeBefore: 4 });
    // What a caller does with a loaded entry is its own affair until it saves it.
    load(1).nrFree = 999;
    expect(load(1).nrFree).toBe(5);
  });

  test('and a commit writes them in the order of their slots, -5 * index mod 64', () => {
    const { index } = indexOf(5);
    const keys = watchInserts();
    index.commit();
    expect(keys).toEqual([0, 4, 3, 2, 1]);
    keys.length = 0;
    index.commit();
    expect(keys).toEqual([]);
    index.save(3, { blocknr: 1, nrFree: 1, noneFreeBefore: 1 });
    index.commit();
    expect(keys).toEqual([3]);
  });

  test('at most 64: the next one of a slot writes the older one into the tree', () => {
    const { index, load, inTree } = indexOf(64);
    const keys = watchInserts();
    index.append(64, { blocknr: 1064, nrFree: 1, noneFreeBefore: 0 });
    expect([keys, inTree(0)?.blocknr]).toEqual([[0], 1000]);
    // To load has the same effect.
    expect(load(0).blocknr).toBe(1000);
    expect(keys).toEqual([0, 64]);
    // A clean one gives its slot up without a write.
    expect([load(64).nrFree, load(0).blocknr, keys]).toEqual([1, 1000, [0, 64]]);
    index.commit();
    for (let i = 0; i < 65; i++) expect(inTree(i)?.blocknr).toBe(1000 + i);
  });
});

test('an entry that the tree does not have is corruption', () => {
  const { load, index } = indexOf(2);
  let error: unknown;
  try {
    load(2);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(CorruptionError);
  expect(error).toMatchObject({ block: index.root, kind: 'btree_node', field: 'key', expected: 2 });
  expect(String(error)).toContain(`Cannot read index tree ${index.root}: it has no entry for bitmap 2`);
});

test('the last entry is taken away, whether or not it has reached the tree', () => {
  for (const committed of [false, true]) {
    const { index, load, inTree } = indexOf(3);
    if (committed) index.commit();
    index.removeLast(2);
    index.commit();
    expect(inTree(2)).toBeUndefined();
    expect(() => load(2)).toThrow(CorruptionError);
    expect(load(1).blocknr).toBe(1001);
  }
  const { index, load } = indexOf(3);
  index.commit();
  // Another index has the slot by now.
  index.append(66, { blocknr: 5, nrFree: 1, noneFreeBefore: 0 });
  index.removeLast(2);
  expect(load(66).blocknr).toBe(5);
});

test('a frozen index keeps the blocks of its moment', () => {
  const { space, index, load } = indexOf(100);
  index.commit();
  const frozen = index.freeze();
  space.commit();
  index.save(7, { ...load(7), blocknr: 5 });
  index.save(99, { ...load(99), blocknr: 6 });
  index.commit();
  expect([7, 99, 7, 50].map((i) => frozen.bitmapBlock(i))).toEqual([1007, 1099, 1007, 1050]);
  expect(index.freeze().bitmapBlock(7)).toBe(5);
});
