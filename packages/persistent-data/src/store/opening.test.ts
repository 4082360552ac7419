import { describe, expect, test } from 'vitest';
import { CorruptionError, DeviceError, Slab, UnsupportedError } from '../base/index.ts';
import { crc32cWords, JOURNAL_HEADER, STORE_SUPERBLOCK, STORE_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { u64 } from './codec.ts';
import { findCheckpoint, isBlank, markBeingMade } from './opening.ts';
import { Store } from './store.ts';
import { superblockImage } from './superblock.ts';

const OPTIONS = { journalBlocks: 8 };
const LENGTH = JOURNAL_HEADER.word('length');
const KIND = JOURNAL_HEADER.word('kind');
const HEADER_WORDS = JOURNAL_HEADER.size / 4;

/** A store whose last checkpoint has a proof; the value of its one key is 2 there, and 3 in a record after it if asked for. */
function image(hasLaterRecord: boolean): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 0 });
  const store = Store.open(device, OPTIONS);
  const tree = store.tree('t', { value: u64 });
  tree.set(1, 1);
  store.engine.checkpoint(false);
  tree.set(1, 2);
  store.engine.checkpoint();
  if (hasLaterRecord) tree.set(1, 3);
  expect(store.engine.superblock.nrProofEntries).toBeGreaterThan(0);
  return device.fork();
}

const valueIn = (device: MemoryDevice) => Store.open(device, OPTIONS).tree('t', { value: u64 }).get(1);

/** Changes the proof of the newest checkpoint, and seals it again. */
function changeProof(device: MemoryDevice, change: (words: Uint32Array) => void): void {
  const { journal } = findCheckpoint(device.fork(), true);
  const slab = Slab.ofSize(4096);
  device.read(journal.begin, [slab.bytes]);
  change(slab.words);
  slab.words[0] = crc32cWords(slab.words, 1, slab.words[LENGTH]! / 4 - 1);
  device.write(journal.begin, [slab.bytes]);
}

function patchBoth(device: MemoryDevice, change: (words: Uint32Array) => void): void {
  for (const slot of [0, 1]) {
    const slab = Slab.ofSize(4096);
    device.read(slot, [slab.bytes]);
    change(slab.words);
    STORE_SUPERBLOCK_VALIDATOR.seal(slab, 0, slot);
    device.write(slot, [slab.bytes]);
  }
}

describe('a proof, sealed as it has to be,', () => {
  const changes: readonly (readonly [string, (words: Uint32Array) => void])[] = [
    ['of a block that no device has', (words) => (words[HEADER_WORDS] = 0xffff_fff0)],
    ['of a block with another checksum', (words) => (words[HEADER_WORDS + 1]! ^= 1)],
    ['of a block that is no metadata', (words) => words.set([0, words[HEADER_WORDS + 1]!], HEADER_WORDS)],
    ['that is called a redo record', (words) => (words[KIND] = 2)],
    ['that is shorter than the superblock says', (words) => (words[LENGTH]! -= 8)],
  ];

  test.each(changes)('%s: the checkpoint before it counts, and the newer one never again', (_, change) => {
    const device = image(false);
    expect(valueIn(device.fork())).toBe(2);
    changeProof(device, change);
    const { superblock, voidSlot } = findCheckpoint(device.fork(), true);
    expect(voidSlot).toBe((superblock.generation + 1) % 2);
    // Its journal has all that the newer one was made of.
    expect(valueIn(device)).toBe(2);
    const block = new Uint8Array(4096);
    device.read(voidSlot!, [block]);
    expect(block.every((byte) => byte === 0)).toBe(true);
  });

  test.each(changes)('%s is damage, where a commit came after it', (_, change) => {
    const device = image(true);
    expect(valueIn(device.fork())).toBe(3);
    changeProof(device, change);
    expect(() => Store.open(device, OPTIONS)).toThrow(/is damaged; it was there once, as commits after it show/);
    expect(() => Store.open(device, OPTIONS)).toThrow(CorruptionError);
  });
});

test.each([0, 2 ** 53 + 2])('generation %d is not possible', (generation) => {
  const device = image(false);
  const word = STORE_SUPERBLOCK.word('generation');
  patchBoth(device, (words) => words.set([generation >>> 0, generation / 2 ** 32], word));
  expect(() => findCheckpoint(device, true)).toThrow(/the generation is not possible/);
});

test('a disk that cannot be read is no store that is not there', () => {
  class Unreadable extends MemoryDevice {
    failing: (begin: number) => boolean = () => false;
    override read(begin: number, buffers: readonly Uint8Array[]): void {
      if (this.failing(begin)) throw new DeviceError(`Cannot read block ${begin}: EIO`);
      super.read(begin, buffers);
    }
  }
  const sound = image(true);
  const device = new Unreadable({ nrBlocks: sound.nrBlocks });
  device.write(0, [sound.toBytes()]);
  const { journal } = findCheckpoint(device, true);
  for (const failing of [0, 1, journal.begin]) {
    device.failing = (begin) => begin === failing;
    expect(() => findCheckpoint(device, true)).toThrow(DeviceError);
    expect(() => Store.open(device, OPTIONS)).toThrow(DeviceError);
  }
  device.failing = () => false;
  expect(valueIn(device)).toBe(3);
});

describe('a device that is marked as being made', () => {
  test('and has nothing else holds no store', () => {
    const device = new MemoryDevice({ nrBlocks: 0 });
    markBeingMade(device);
    expect([device.nrBlocks, isBlank(device)]).toEqual([1, true]);
  });

  test('holds one that this version does not know, if it does: it is not made anew', () => {
    const device = new MemoryDevice({ nrBlocks: 0 });
    const { engine } = Store.open(device, OPTIONS);
    const copy = device.fork();
    markBeingMade(copy);
    expect(isBlank(copy)).toBe(false);
    copy.write(1, [superblockImage({ ...engine.superblock, incompatFlags: 1 }).bytes]);
    expect(() => isBlank(copy)).toThrow(UnsupportedError);
    expect(() => Store.open(copy, OPTIONS)).toThrow(UnsupportedError);
  });
});
