import { describe, expect, test, vi } from 'vitest';
import { CorruptionError, NoSpaceError, Slab } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u32 } from './codec.ts';
import { MAX_GROWN_BLOCKS } from './journal.ts';
import { OP } from './redo-log.ts';
import { replayOperations } from './replay.ts';
import { Store } from './store.ts';

/** A store with one collection of each kind: the tree is 1, the nested tree 2, the array 3, the bitset 4; the snapshot is 1. */
function newStore(): Store {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }));
  store.tree('tree', { value: u32 }).set(5, 5);
  store.tree('nested', { keys: 2, value: u32 }).set([1, 1], 5);
  store.array('array', { value: u32, length: 10, fill: 0 });
  store.bitset('bits', { length: 10 });
  store.snapshot('s');
  return store;
}

/** Replays words that no store wrote, as a journal with the right checksum would have them. */
function replay(store: Store, words: readonly number[]): void {
  const slab = Slab.ofSize(4096);
  slab.words.set(words);
  replayOperations(store.engine, slab, { from: 0, to: words.length });
}

const HEAD = 0;
const [TREE, NESTED, ARRAY, BITS] = [1, 2, 3, 4];
const select = (id: number) => [OP.select, HEAD, id];

describe('a journal that no store wrote is corruption', () => {
  test.each([
    ['a change of nothing', [OP.put, 5, 0, 1], /without naming it/],
    ['a collection that is not there', [OP.select, HEAD, 77], /changes a collection that is not there/],
    ['a snapshot that is not there', [OP.select, 9, TREE], /snapshot 9, which is not there/],
    ['a deletion of nothing', [OP.deleteCollection, HEAD, 77], /deletes a collection that is not there/],
    ['a state made from no snapshot', [OP.restore, 9], /snapshot 9, which is not there/],
    ['a collection of no kind', [OP.createCollection, HEAD, 9, 4, 1, 0x61, 0], /kind/],
    ['an operation that is none', [99], /operation 99 is not known/],
    ['the bits of a tree', [...select(TREE), OP.setBits, 0, 0, 1, 0], /of a tree is not known/],
    ['an entry of an array', [...select(ARRAY), OP.put, 0, 0, 1], /of an array is not known/],
    ['an entry of a bitset', [...select(BITS), OP.put, 0, 0, 1], /of a bitset is not known/],
  ])('%s', (_, words, message) => {
    const store = newStore();
    expect(() => replay(store, words)).toThrow(CorruptionError);
    expect(() => replay(newStore(), words)).toThrow(message);
  });

  test.each([
    ['removes a key that is not there', [...select(TREE), OP.remove, 6, 0]],
    ['sets an element beyond the end', [...select(ARRAY), OP.setElement, 5000, 0, 1]],
    ['sets an element that no array has', [...select(ARRAY), OP.setElement, 0xffff_ffff, 0xffff_ffff, 1]],
    ['ends within an operation', [...select(TREE), OP.put, 6, 0]],
    ['ends within a name', [OP.createSnapshot, HEAD, 0, 0, 0, 9, 0x61616161]],
    ['removes below more keys than it has', [...select(TREE), OP.removeBelow | (0xff_ffff << 8), 1, 0]],
    ['makes an array as long as no disk', [...select(ARRAY), OP.resize, 0, 0x10_0000, 1]],
    ['makes a bitset as long as no disk', [...select(BITS), OP.resize, 0, 0x10_0000, 1]],
    ['gives a collection no name', [OP.createCollection, HEAD, 1 | (1 << 8), 4, 0, 4, 0x61616161]],
    [
      'gives a snapshot a name that has no end',
      [OP.createSnapshot, HEAD, 0, 0, 0, 2000, ...Array<number>(500).fill(0x61616161)],
    ],
    ['sets bits beyond the end', [...select(BITS), OP.setBits | (1 << 8), 0, 0, 0x10_0000, 0]],
    ['deletes a snapshot that is not there', [OP.deleteSnapshot, 9]],
  ])('one that %s', (_, words) => {
    expect(() => replay(newStore(), words)).toThrow(CorruptionError);
  });
});

test('each operation is done once more', () => {
  const store = newStore();
  replay(store, [
    ...[...select(TREE), OP.put, 6, 0, 66, OP.remove, 5, 0, OP.none],
    ...[...select(NESTED), OP.put, 2, 0, 3, 0, 7, OP.removeBelow | (1 << 8), 1, 0],
    ...[...select(ARRAY), OP.setElement, 3, 0, 9, OP.resize, 12, 0, 4],
    ...[...select(BITS), OP.setBits | (1 << 8), 2, 0, 5, 0, OP.setBits, 3, 0, 4, 0, OP.resize, 12, 0, 1],
  ]);
  expect([...store.tree('tree', { value: u32 })]).toEqual([[6, 66]]);
  expect([...store.tree('nested', { keys: 2, value: u32 })]).toEqual([[[2, 3], 7]]);
  expect([...store.array('array', { value: u32 })]).toEqual([0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 4]);
  expect([...store.bitset('bits')]).toEqual([2, 4, 10, 11]);
  // From a key on, up to one or to the end.
  replay(store, [...select(TREE), OP.removeRange | (1 << 8) | (1 << 12), 7, 0, 9, 0]);
  expect(store.tree('tree', { value: u32 }).size).toBe(1);
  replay(store, [...select(TREE), OP.removeRange | (1 << 8) | (15 << 12), 6, 0]);
  expect(store.tree('tree', { value: u32 }).size).toBe(0);
});

test('what makes collections longer is replayed up to a bound, as no record was written beyond it', () => {
  const perBlock = 1012;
  const store = newStore();
  const array = (length: number) => [...select(ARRAY), OP.resize, length, 0, 1];
  const blocks = (nrBlocks: number) => array(perBlock * nrBlocks);
  const { journal } = store.engine;
  replay(store, [...blocks(100), ...array(1), ...blocks(100)]);
  expect(journal.grow(MAX_GROWN_BLOCKS - 220)).toBe(true);
  expect(() => replay(store, [...array(1), ...blocks(40)])).toThrow(/longer by more than 4096 blocks/);
});

test('a transaction that makes collections longer than a replay may is a checkpoint, and is there after a crash', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const generations: number[] = [];
  store.on('commit', ({ generation }) => generations.push(generation));
  const bits = store.bitset('bits');
  const array = store.array('array', { value: u32 });
  array.resize(1000 * 1000, 7);
  array.resize(0, 0);
  array.resize(2_500_000, 8);
  expect(new Set(generations)).toEqual(new Set([1]));
  array.resize(3_500_000, 9);
  bits.resize(32_000_000);
  expect(new Set(generations)).toEqual(new Set([1, 2]));
  const again = Store.open(device.fork());
  expect([again.array('array', { value: u32 }).length, again.bitset('bits').length]).toEqual([3_500_000, 32_000_000]);
  expect(again.array('array', { value: u32 }).get(3_499_999)).toBe(9);
});

test('where the device is full the reserve has room for what was done before; any other failure is told', () => {
  const store = newStore();
  const full = vi.spyOn(store.engine.space, 'ensure');
  full.mockImplementation(() => {
    throw new NoSpaceError('Cannot grow', 'metadata');
  });
  replay(store, [...select(TREE), OP.put, 6, 0, 66]);
  expect(store.tree('tree', { value: u32 }).get(6)).toBe(66);
  full.mockImplementation(() => {
    throw new NoSpaceError('Cannot grow', 'host');
  });
  expect(() => replay(store, [...select(TREE), OP.put, 7, 0, 77])).toThrow(/Cannot grow/);
  full.mockRestore();
});
