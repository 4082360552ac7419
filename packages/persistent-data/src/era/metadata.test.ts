import { describe, expect, test } from 'vitest';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { CorruptionError, NoSpaceError, ReadOnlyError, StateError, UnsupportedError } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { ERA_SUPERBLOCK, ERA_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { checkEra } from './check.ts';
import { Digestion } from './digestion.ts';
import { EraCore } from './era-core.ts';
import { EraMetadata } from './metadata.ts';
import { dropSnapshot } from './metadata-snapshot.ts';

const BLOCK_SIZE = { blockSizeSectors: 128 };

function fresh(nrBlocks = 1000, nrMetadataBlocks = 256): { device: MemoryDevice; era: EraMetadata } {
  const device = new MemoryDevice({ nrBlocks: nrMetadataBlocks });
  const era = EraMetadata.format(device, BLOCK_SIZE);
  era.resume(nrBlocks);
  return { device, era };
}

/** What is on a device, in core. */
function coreOf(device: MemoryDevice): EraCore {
  const blockManager = new BlockManager(device, { cacheBlocks: 32 });
  return EraCore.open(blockManager, EraCore.readSuperblock(blockManager));
}

function erasOf(era: EraMetadata, blocks: readonly number[]): number[] {
  return blocks.map((b) => era.eraOf(b));
}

function sound(device: MemoryDevice): void {
  expect([...checkEra(device)]).toEqual([]);
}

describe('a new device', () => {
  test('has no era before it is resumed, and nothing can be marked', () => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    const era = EraMetadata.format(device, BLOCK_SIZE);
    expect([era.currentEra, era.nrBlocks, era.hasCurrentWriteset]).toEqual([0, 0, false]);
    sound(device);
    era.resume(10);
    expect([era.currentEra, era.nrBlocks, era.hasCurrentWriteset, era.status()]).toEqual([1, 10, true, '8 9/64 1 -']);
    era.suspend();
    expect(() => era.markWritten([1])).toThrow('no era has begun');
    sound(device);
  });

  test('wants a block size that the kernel takes, and room', () => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    for (const blockSizeSectors of [0, 7, -8, 1.5, 2 ** 32]) {
      expect(() => EraMetadata.format(device, { blockSizeSectors })).toThrow(RangeError);
    }
    expect(() => EraMetadata.format(new MemoryDevice({ nrBlocks: 4 }), BLOCK_SIZE)).toThrow(NoSpaceError);
    const era = EraMetadata.format(device, BLOCK_SIZE);
    for (const nrBlocks of [-1, 0.5, 2 ** 31]) expect(() => era.resume(nrBlocks)).toThrow(RangeError);
    expect(() => era.resume(1_000_000)).toThrow(NoSpaceError);
    era.resume(100);
    sound(device);
  });
});

describe('markWritten()', () => {
  test('makes a mark durable before it says that the block may be written', () => {
    const { device, era } = fresh();
    expect(era.isMarked(17)).toBe(false);
    era.markWritten([17]);
    expect(era.isMarked(17)).toBe(true);
    expect(EraMetadata.open(device).eraOf(17)).toBe(1);
    sound(device);
  });

  test('commits only where a mark is new', () => {
    const { device, era } = fresh();
    era.markWritten([1, 2, 3]);
    const before = device.toBytes();
    era.markWritten([2, 3]);
    expect(Buffer.compare(device.toBytes(), before)).toBe(0);
    era.markWritten([]);
    era.rollback();
    // After a rollback nobody knows in core; the mark is on the disk all the same.
    expect(era.isMarked(2)).toBe(false);
    era.markWritten([2]);
    expect(era.isMarked(2)).toBe(true);
    expect(Buffer.compare(device.toBytes(), before)).toBe(0);
  });

  test('refuses blocks that there are not, and marks none then', () => {
    const { era } = fresh(100);
    for (const block of [100, -1, 0.5, Number.NaN]) expect(() => era.markWritten([1, block])).toThrow(RangeError);
    expect(era.isMarked(1)).toBe(false);
    expect(() => era.eraOf(100)).toThrow(RangeError);
  });

  test('fails with the space, before it changes anything', () => {
    const { device, era } = fresh(1000, 24);
    for (let i = 0; i < 30; i++) {
      try {
        era.checkpoint();
      } catch (error) {
        expect(error).toBeInstanceOf(NoSpaceError);
        break;
      }
    }
    sound(device);
    era.digest();
    era.commit();
    sound(device);
    era.markWritten([3]);
  });
});

describe('eras', () => {
  test('a checkpoint begins one, marks are of the one that they were made in', () => {
    const { device, era } = fresh();
    era.markWritten([1, 2]);
    expect(era.checkpoint()).toBe(2);
    expect(era.isMarked(1)).toBe(false);
    era.markWritten([2, 3]);
    expect(erasOf(era, [0, 1, 2, 3])).toEqual([0, 1, 2, 2]);
    expect(era.archivedEras()).toEqual([1]);
    sound(device);
  });

  test('digestion moves writesets into the array, the oldest first, and can be left off at any step', () => {
    const { device, era } = fresh(1000);
    era.markWritten([0, 99, 100, 999]);
    era.checkpoint();
    era.markWritten([99, 500]);
    era.checkpoint();
    const before = erasOf(era, [0, 1, 99, 100, 500, 999]);
    let nrSteps = 0;
    while (era.digestStep()) {
      nrSteps++;
      expect(erasOf(era, [0, 1, 99, 100, 500, 999])).toEqual(before);
      if (nrSteps % 3 === 0) era.commit();
      if (nrSteps === 4) era.rollback();
      if (nrSteps % 3 === 0) sound(device);
    }
    // Ten steps each, and four that a rollback took.
    expect(nrSteps).toBe(24);
    expect(era.archivedEras()).toEqual([]);
    era.commit();
    expect(before).toEqual([1, 0, 2, 1, 2, 1]);
    sound(device);
    expect(Digestion.ofOldest(coreOf(device))).toBeUndefined();
  });

  test('a writeset that a crash left is taken over by the next opening', () => {
    const { device, era } = fresh();
    era.markWritten([5]);
    const again = EraMetadata.open(device.fork());
    expect([again.currentEra, again.hasCurrentWriteset, again.eraOf(5)]).toEqual([1, true, 1]);
    again.markWritten([6]);
    again.resume(1000);
    expect([again.currentEra, ...erasOf(again, [5, 6, 7])]).toEqual([2, 1, 1, 0]);
    expect(again.archivedEras()).toEqual([1]);
  });

  test('the device may grow and shrink between eras', () => {
    const { device, era } = fresh(2000);
    era.markWritten([1, 1999]);
    era.suspend();
    era.resume(5000);
    era.markWritten([4999, 2]);
    era.suspend();
    era.resume(1500);
    expect(erasOf(era, [1, 2, 1499])).toEqual([1, 2, 0]);
    era.digest();
    era.commit();
    expect(erasOf(era, [1, 2, 1499])).toEqual([1, 2, 0]);
    sound(device);
    era.suspend();
    era.resume(2500);
    expect(era.eraOf(1999)).toBe(0);
    sound(device);
  });
});

describe('metadata snapshots', () => {
  test('keep what was before them, through later eras and digestion', () => {
    const { device, era } = fresh();
    era.markWritten([1]);
    const block = era.takeMetadataSnapshot();
    expect(block).toBe(era.metadataSnapshot);
    expect(era.status()).toMatch(new RegExp(` 2 ${block}$`));
    sound(device);
    expect(() => era.takeMetadataSnapshot()).toThrow(StateError);
    era.markWritten([2]);
    era.checkpoint();
    era.digest();
    era.commit();
    sound(device);
    era.dropMetadataSnapshot();
    sound(device);
    expect(() => era.dropMetadataSnapshot()).toThrow(StateError);
    expect(erasOf(era, [1, 2])).toEqual([1, 2]);
  });

  test('dropping one gives back what nobody else refers to', () => {
    const { device, era } = fresh();
    const nrFree = era.nrFreeMetadata;
    for (let i = 0; i < 3; i++) {
      era.takeMetadataSnapshot();
      era.markWritten([i]);
      era.dropMetadataSnapshot();
    }
    era.digest();
    era.commit();
    expect(era.nrFreeMetadata).toBe(nrFree);
    expect(() => dropSnapshot(coreOf(device))).toThrow('there is none');
    sound(device);
  });
});

describe('failures', () => {
  test('a device that is read-only is read', () => {
    const { device, era } = fresh();
    era.markWritten([3]);
    const read = EraMetadata.open(device, { readOnly: true });
    expect(read.eraOf(3)).toBe(1);
    expect(read.readOnly).toBe(true);
    for (const change of [() => read.checkpoint(), () => read.markWritten([1]), () => read.resume(1000)]) {
      expect(change).toThrow(ReadOnlyError);
    }
    read.close();
  });

  test('a closed one is closed', () => {
    const { era } = fresh();
    era.close();
    era.close();
    expect(() => era.checkpoint()).toThrow('closed');
    expect(() => era.rollback()).toThrow('closed');
  });

  test('a superblock of another version, or with impossible sizes, is refused', () => {
    const { device } = fresh();
    const sick = new SickPool(device);
    const set = (name: Parameters<typeof ERA_SUPERBLOCK.offset>[0], value: number) =>
      sick.reseal(0, ERA_SUPERBLOCK_VALIDATOR, (view) => view.setUint32(ERA_SUPERBLOCK.offset(name), value, true));
    set('version', 2);
    expect(() => EraMetadata.open(device)).toThrow(UnsupportedError);
    set('version', 1);
    set('nrBlocks', 2 ** 31 - 1);
    expect(() => EraMetadata.open(device)).toThrow(CorruptionError);
  });

  test('a writeset that is shorter than it says is a corruption with its place, not an answer', () => {
    const { device, era } = fresh(100);
    era.markWritten([99]);
    const sick = new SickPool(device);
    sick.reseal(0, ERA_SUPERBLOCK_VALIDATOR, (view) => {
      view.setUint32(ERA_SUPERBLOCK.offset('currentWritesetNrBits'), 5000, true);
      view.setUint32(ERA_SUPERBLOCK.offset('nrBlocks'), 5000, true);
    });
    const opened = EraMetadata.open(device);
    expect(() => opened.eraOf(4000)).toThrow(CorruptionError);
    expect(() => opened.markWritten([4000])).toThrow(CorruptionError);
    expect(opened.eraOf(99)).toBe(1);
    expect(() => opened.eraOf(200)).toThrow(CorruptionError);
  });

  test('the metadata space grows', () => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    const era = EraMetadata.format(device, BLOCK_SIZE);
    era.resume(1000);
    device.resize(300);
    era.growMetadata(300);
    era.commit();
    expect(era.nrMetadataBlocks).toBe(300);
    expect(era.statistics.hits).toBeGreaterThan(0);
    expect(() => era.growMetadata(200)).toThrow(RangeError);
    sound(device);
  });
});
