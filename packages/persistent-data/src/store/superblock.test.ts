import { describe, expect, test } from 'vitest';
import { CorruptionError, Slab, UnsupportedError } from '../base/index.ts';
import { STORE_SUPERBLOCK, STORE_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u64 } from './codec.ts';
import { findCheckpoint, isBlank, markBeingMade, voidSlot } from './opening.ts';
import { Store } from './store.ts';
import { readSlot, refuseUnsupported, type StoreSuperblock, slotOf, superblockImage } from './superblock.ts';

const SUPERBLOCK: StoreSuperblock = {
  flags: 1,
  version: 1,
  compatFlags: 0,
  compatRoFlags: 0,
  incompatFlags: 0,
  uuid: '00112233445566778899aabbccddeeff',
  createdMs: 2 ** 41,
  generation: 2 ** 40 + 1,
  spaceMapRoot: { nrBlocks: 10, nrAllocated: 5, bitmapRoot: 3, refCountRoot: 4 },
  catalogueRoot: 6,
  namesRoot: 7,
  snapshotsRoot: 8,
  headParent: 9,
  nextCollection: 10,
  nextSnapshot: 11,
  nrProofEntries: 12,
  journalBegins: [100, 200],
  journalBlocks: 50,
};

/** A store with two checkpoints, as it lies on the disk, the second with a proof. */
function image(): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, { journalBlocks: 8 });
  const tree = store.tree('t', { value: u64 });
  store.transact(() => tree.set(1, 2));
  store.engine.checkpoint();
  return device.fork();
}

function patch(device: MemoryDevice, slot: 0 | 1, change: (words: Uint32Array) => void): void {
  const slab = Slab.ofSize(4096);
  device.read(slot, [slab.bytes]);
  change(slab.words);
  STORE_SUPERBLOCK_VALIDATOR.seal(slab, 0, slot);
  device.write(slot, [slab.bytes]);
}

function flipBit(device: MemoryDevice, block: number): void {
  const bytes = new Uint8Array(4096);
  device.read(block, [bytes]);
  bytes[2000]! ^= 1;
  device.write(block, [bytes]);
}

test('a superblock comes back from its block', () => {
  const device = new MemoryDevice({ nrBlocks: 2 });
  expect(slotOf(SUPERBLOCK.generation)).toBe(1);
  device.write(1, [superblockImage(SUPERBLOCK).bytes]);
  expect(readSlot(device, 1)).toEqual(SUPERBLOCK);
  expect(() => readSlot(device, 0)).toThrow(CorruptionError);
});

test('flags and versions that are not known are refused, some only for writing', () => {
  refuseUnsupported(SUPERBLOCK, false);
  refuseUnsupported({ ...SUPERBLOCK, compatFlags: 8 }, false);
  refuseUnsupported({ ...SUPERBLOCK, compatRoFlags: 1 }, true);
  expect(() => refuseUnsupported({ ...SUPERBLOCK, compatRoFlags: 1 }, false)).toThrow(UnsupportedError);
  expect(() => refuseUnsupported({ ...SUPERBLOCK, incompatFlags: 1 }, true)).toThrow(UnsupportedError);
  expect(() => refuseUnsupported({ ...SUPERBLOCK, version: 2 }, true)).toThrow(UnsupportedError);
  const device = image();
  patch(device, 1, (words) => {
    words[STORE_SUPERBLOCK.word('generation')]! += 2;
    words[STORE_SUPERBLOCK.word('incompatFlags')] = 4;
  });
  expect(() => Store.open(device)).toThrow(UnsupportedError);
});

describe('`findCheckpoint()`', () => {
  test('takes the newest of which everything has arrived', () => {
    const device = image();
    const { superblock, voidSlot: none } = findCheckpoint(device, false);
    expect(superblock.nrProofEntries).toBeGreaterThan(0);
    expect(none).toBeUndefined();
    flipBit(device, superblock.catalogueRoot);
    const older = findCheckpoint(device, false);
    expect(older.superblock.generation).toBe(superblock.generation - 1);
    expect(older.voidSlot).toBe(slotOf(superblock.generation));
    voidSlot(device, older.voidSlot!);
    expect(findCheckpoint(device, false).voidSlot).toBeUndefined();
  });

  test('a superblock that was not believed is made void before the store is changed', () => {
    const device = image();
    const { superblock } = findCheckpoint(device, false);
    flipBit(device, superblock.catalogueRoot);
    Store.open(device, { readOnly: true });
    expect(readSlot(device, slotOf(superblock.generation)).generation).toBe(superblock.generation);
    Store.open(device);
    expect(() => readSlot(device, slotOf(superblock.generation))).toThrow(CorruptionError);
  });

  test('a store that was closed is believed without a proof', () => {
    const device = image();
    const store = Store.open(device);
    store.tree('t', { value: u64 }).set(2, 2);
    store.close();
    const { superblock } = findCheckpoint(device, false);
    expect(superblock.nrProofEntries).toBe(0);
    flipBit(device, superblock.catalogueRoot);
    expect(() => Store.open(device.fork()).collections()).toThrow(CorruptionError);
  });

  test('calls it damage when the newest was durable once', () => {
    const device = image();
    const store = Store.open(device, { journalBlocks: 8 });
    store.transact(() => store.tree('t', { value: u64 }).set(5, 5));
    flipBit(device, store.engine.superblock.catalogueRoot);
    expect(() => findCheckpoint(device, false)).toThrow(/is damaged/);
  });

  test.each([
    ['more blocks than there are', 'spaceMapRoot', 1e6],
    ['a journal outside', 'journalBegin0', 1e6],
    ['a journal without blocks', 'journalBlocks', 0],
    ['a journal beyond all bounds', 'journalBlocks', 0xffff_ffff],
    ['a proof that is longer than the journal', 'nrProofEntries', 0xffff_ffff],
  ] as const)('does not believe %s', (_, field, value) => {
    const device = image();
    for (const slot of [0, 1] as const) patch(device, slot, (words) => (words[STORE_SUPERBLOCK.word(field)] = value));
    expect(() => findCheckpoint(device, false)).toThrow(CorruptionError);
  });
});

describe('`isBlank()`', () => {
  test('is true of nothing, of zeros, and of what a crash leaves of a store that was being made', () => {
    expect(isBlank(new MemoryDevice({ nrBlocks: 0 }))).toBe(true);
    const device = new MemoryDevice({ nrBlocks: 4 });
    expect(isBlank(device)).toBe(true);
    markBeingMade(device);
    expect(isBlank(device)).toBe(true);
    device.write(1, [superblockImage(SUPERBLOCK).bytes]);
    expect(isBlank(device)).toBe(true);
    const empty = new MemoryDevice({ nrBlocks: 0 });
    markBeingMade(empty);
    expect(empty.nrBlocks).toBe(1);
  });

  test('is false of a store, and of anything else', () => {
    expect(isBlank(image())).toBe(false);
    expect(isBlank(MemoryDevice.from(new Uint8Array(8192).fill(1)))).toBe(false);
    const half = new MemoryDevice({ nrBlocks: 2 });
    half.write(1, [new Uint8Array(4096).fill(7)]);
    expect(isBlank(half)).toBe(false);
  });
});
