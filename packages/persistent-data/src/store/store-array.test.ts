import { expect, test } from 'vitest';
import { MemoryDevice } from '../io/index.ts';
import { diffArrays } from './array-diff.ts';
import { u16, u32 } from './codec.ts';
import { RawArray } from './raw-array.ts';
import { RawBitset } from './raw-bitset.ts';
import { Store } from './store.ts';
import { StoreArray } from './store-array.ts';
import { StoreBitset } from './store-bitset.ts';

function reopened(store: Store, device: MemoryDevice): Store {
  store.close();
  return Store.open(device.fork());
}

test('an array keeps its elements', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const array = store.array('a', { value: { x: u16, y: u32 }, length: 3000, fill: { x: 1, y: 2 } });
  expect(array).toBeInstanceOf(StoreArray);
  store.transact(() => {
    for (let i = 0; i < 3000; i += 7) array.set(i, { x: i & 0xffff, y: i * i });
  });
  expect([array.length, array.get(7), array.get(8), array.get(3000)]).toEqual([
    3000,
    { x: 7, y: 49 },
    { x: 1, y: 2 },
    undefined,
  ]);
  expect(array.push({ x: 9, y: 9 })).toBe(3000);
  array.resize(3010, { x: 8, y: 8 });
  array.resize(3005, { x: 0, y: 0 });
  expect([...array.values(2999)].map(({ x }) => x)).toEqual([1, 9, 8, 8, 8, 8]);
  expect([...array.entries(3003, 3004)]).toEqual([[3003, { x: 8, y: 8 }]]);
  let count = 0;
  const visit = () => ++count < 10;
  array.forEach(visit);
  expect(count).toBe(10);
  expect(() => array.set(3005, { x: 0, y: 0 })).toThrow(RangeError);
  expect(() => array.set(0, { x: -1, y: 0 })).toThrow(/^x: /);
  expect(() => array.get(-1)).toThrow(RangeError);
  expect(() => array.resize(1.5, { x: 0, y: 0 })).toThrow(RangeError);
  const all = [...array];
  const again = reopened(store, device);
  expect([...again.array('a', { value: { x: u16, y: u32 } })]).toEqual(all);
  expect([...again.check()]).toEqual([]);
});

test('an array without a value for its elements is not made', () => {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }));
  expect(() => store.array('a', { value: u32, length: 5 })).toThrow(/wants? a value/);
  expect(store.has('a')).toBe(false);
  expect(store.array('a', { value: u32 }).length).toBe(0);
});

test('a bitset keeps its bits', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const bits = store.bitset('b', { length: 100_000 });
  expect(bits).toBeInstanceOf(StoreBitset);
  store.transact(() => {
    for (let i = 0; i < 1000; i++) bits.set(i * 97);
    bits.set(97, false);
    bits.setRange(50_000, 50_010);
  });
  expect([bits.get(0), bits.get(97), bits.get(194), bits.get(50_009)]).toEqual([true, false, true, true]);
  expect([bits.count(), bits.count(50_000, 50_010), bits.nextSet(1), bits.nextClear(50_000)]).toEqual([
    1009, 10, 194, 50_010,
  ]);
  bits.resize(100_003, true);
  bits.resize(100_005);
  expect([...bits].slice(-3)).toEqual([100_000, 100_001, 100_002]);
  expect([bits.length, bits.nextSet(100_003)]).toEqual([100_005, -1]);
  bits.setRange(5, 5);
  for (const index of [-1, 0.5, 100_005]) {
    expect(() => bits.get(index)).toThrow(RangeError);
    expect(() => bits.set(index)).toThrow(RangeError);
  }
  expect(() => bits.resize(-1)).toThrow(RangeError);
  const all = [...bits];
  const again = reopened(store, device);
  expect([...again.bitset('b')]).toEqual(all);
  expect([...again.check()]).toEqual([]);
});

test('what is committed and not folded in comes back by replay; what is rolled back does not', () => {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device);
  const array = store.array('a', { value: u32, length: 10, fill: 0 });
  const bits = store.bitset('b', { length: 10 });
  store.transact(() => {
    array.set(3, 33);
    array.push(5);
    bits.set(4);
    bits.resize(200, true);
  });
  store.begin();
  array.set(0, 1);
  bits.setRange(0, 200);
  store.rollback();
  for (const read of [store, Store.open(device.fork())]) {
    expect([...read.array('a', { value: u32 })]).toEqual([0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 5]);
    expect(read.bitset('b').count()).toBe(191);
  }
});

test('two versions of an array differ where elements do', () => {
  const store = Store.open(new MemoryDevice({ nrBlocks: 0 }));
  const array = store.array('a', { value: u32, length: 5000, fill: 0 });
  const bits = store.bitset('b', { length: 70 });
  const before = store.snapshot('before');
  store.transact(() => {
    array.set(1234, 5);
    array.resize(4999, 0);
    bits.set(69);
    bits.resize(71, true);
  });
  const diff = store.diff(before, store.head);
  expect([...diff.array(array)]).toEqual([
    { index: 1234, before: 0, after: 5 },
    { index: 4999, before: 0, after: undefined },
  ]);
  expect([...diff.bitset('b')]).toEqual([
    { index: 69, before: false, after: true },
    { index: 70, before: undefined, after: true },
  ]);
  // Bits 65 to 69 are in the word that both share.
  const longer = store.snapshot('longer');
  bits.resize(65);
  expect([...store.diff(longer, store).bitset(bits)].map(({ index }) => index)).toEqual([65, 66, 67, 68, 69, 70]);
  expect([...store.diff(store.head, before).array('a')]).toHaveLength(2);
  expect([...store.diff(store.head, store.head).array('a')]).toEqual([]);
  const { core } = store.engine;
  const raw = (name: string) => core.collection(core.head, core.namesOf(core.head).get(name)!.id);
  expect(raw('b')).toBeInstanceOf(RawBitset);
  const a = raw('a') as RawArray;
  expect(a).toBeInstanceOf(RawArray);
  expect([...diffArrays(a.array, undefined, a)]).toHaveLength(4999);
});
