import { describe, expect, test, vi } from 'vitest';
import { ThinFixture } from '../../../../test/structures/thin-fixture.ts';
import { CorruptionError, NoSpaceError, ReadOnlyError, Slab, StateError, UnsupportedError } from '../base/index.ts';
import { THIN_SUPERBLOCK, THIN_SUPERBLOCK_VALIDATOR } from '../format/index.ts';
import { MemoryDevice, ReadOnlyDevice } from '../io/index.ts';
import { ThinMetadata } from './metadata.ts';

/** Changes the superblock behind everybody's back, checksum and all. */
function forgeSuperblock(device: MemoryDevice, change: (words: Uint32Array) => void): MemoryDevice {
  const slab = Slab.ofSize(4096);
  device.read(0, [slab.bytes]);
  change(slab.words);
  THIN_SUPERBLOCK_VALIDATOR.seal(slab, 0, 0);
  device.write(0, [slab.bytes]);
  return device;
}

const word = (name: Parameters<typeof THIN_SUPERBLOCK.word>[0]) => THIN_SUPERBLOCK.word(name);

function formatted(nrBlocks = 64): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks });
  ThinMetadata.format(device, { cacheBlocks: 64, dataBlockSizeSectors: 128, nrDataBlocks: 100 }).close();
  return device;
}

describe('format', () => {
  test('makes an empty pool', () => {
    const fixture = new ThinFixture({ nrMetadataBlocks: 100, nrDataBlocks: 50 });
    const { pool } = fixture;
    expect({
      devices: pool.devices(),
      nrDataBlocks: pool.nrDataBlocks,
      nrFreeData: pool.nrFreeData,
      nrMetadataBlocks: pool.nrMetadataBlocks,
      dataBlockSizeSectors: pool.dataBlockSizeSectors,
      transactionId: pool.transactionId,
      time: pool.time,
      metadataSnapshot: pool.metadataSnapshot,
      needsCheck: pool.needsCheck,
      readOnly: pool.readOnly,
      changed: pool.changedThisTransaction,
    }).toEqual({
      devices: [],
      nrDataBlocks: 50,
      nrFreeData: 50,
      nrMetadataBlocks: 100,
      dataBlockSizeSectors: 128,
      transactionId: 0,
      time: 0,
      metadataSnapshot: 0,
      needsCheck: false,
      readOnly: false,
      changed: false,
    });
    // Nine blocks are used, a tenth of the device is kept back.
    expect(pool.nrFreeMetadata).toBe(100 - 9 - 10);
    expect(pool.statistics.dirty).toBe(0);
    fixture.check();
  });

  test('writes the superblock last, twice: the format, then the data space', () => {
    const { device } = new ThinFixture();
    const writes = device.takeWrites();
    expect(writes.filter((call) => call === 'write 0+1' || call === 'flush')).toEqual([
      'flush',
      'write 0+1',
      'flush',
      'flush',
      'write 0+1',
      'flush',
    ]);
    expect(writes.at(-2)).toBe('write 0+1');
  });

  test.each([0, 100, 192, 2097280, 128.5])('refuses a data block of %s sectors', (dataBlockSizeSectors) => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    const text = `Cannot format pool: the data block size is ${dataBlockSizeSectors} sectors, a multiple of 128 to 2097152 is wanted`;
    expect(() => ThinMetadata.format(device, { dataBlockSizeSectors, nrDataBlocks: 1 })).toThrow(new RangeError(text));
    expect(device.toBytes().every((byte) => byte === 0)).toBe(true);
  });

  test('refuses an impossible number of data blocks', () => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    for (const nrDataBlocks of [-1, 1.5, Number.NaN]) {
      expect(() => ThinMetadata.format(device, { dataBlockSizeSectors: 128, nrDataBlocks })).toThrow(RangeError);
    }
  });

  test('of a device too small is a `NoSpaceError`, and leaves no pool behind', () => {
    let smallest = 0;
    for (let nrBlocks = 0; nrBlocks < 20; nrBlocks++) {
      const device = new MemoryDevice({ nrBlocks });
      try {
        ThinMetadata.format(device, { cacheBlocks: 32, dataBlockSizeSectors: 128, nrDataBlocks: 10 }).close();
        smallest ||= nrBlocks;
        ThinMetadata.open(device, { cacheBlocks: 32 });
      } catch (error) {
        expect(error).toBeInstanceOf(NoSpaceError);
        expect([error, smallest]).toMatchObject([{ space: 'metadata' }, 0]);
      }
    }
    expect(smallest).toBe(12);
  });

  test('over an old pool makes a new one', () => {
    const fixture = new ThinFixture();
    fixture.pool.createThin(1);
    fixture.provision(1, 0, 100);
    fixture.pool.close();
    fixture.pool = ThinMetadata.format(fixture.device, { cacheBlocks: 64, dataBlockSizeSectors: 256, nrDataBlocks: 5 });
    expect([fixture.pool.devices(), fixture.pool.nrDataBlocks, fixture.pool.dataBlockSizeSectors]).toEqual([
      [],
      5,
      256,
    ]);
    fixture.check();
  });
});

describe('open', () => {
  test('finds what was closed', () => {
    const fixture = new ThinFixture();
    fixture.pool.createThin(7);
    const blocks = fixture.provision(7, 5, 2);
    fixture.pool.setTransactionId({ expected: 0, next: 2n ** 64n - 1n });
    fixture.reopen();
    expect([fixture.mapped(7), fixture.pool.transactionId]).toEqual([`5:${blocks[0]} 6:${blocks[1]}`, 2n ** 64n - 1n]);
    fixture.check();
  });

  test.each<[string, () => MemoryDevice, string]>([
    ['an empty device', () => new MemoryDevice({ nrBlocks: 0 }), 'the device has 0 blocks'],
    ['a device of zeros', () => new MemoryDevice({ nrBlocks: 64 }), 'magic is 0, 27022010 is wanted'],
    [
      'another magic number',
      () => forgeSuperblock(formatted(), (words) => words.fill(5, word('magic'), word('magic') + 1)),
      'magic is 5, 27022010 is wanted',
    ],
    [
      'a truncated device',
      () => {
        const device = formatted();
        device.resize(40);
        return device;
      },
      'blocks are allocated, the device has 40',
    ],
    [
      'a superblock of another block',
      () => {
        const device = formatted();
        const slab = Slab.ofSize(4096);
        device.read(0, [slab.bytes]);
        THIN_SUPERBLOCK_VALIDATOR.seal(slab, 0, 9);
        device.write(0, [slab.bytes]);
        return device;
      },
      'blocknr is 9, 0 is wanted',
    ],
    [
      'one bit',
      () => {
        const device = formatted();
        const bytes = new Uint8Array(4096);
        device.read(0, [bytes]);
        bytes[3000]! ^= 1;
        device.write(0, [bytes]);
        return device;
      },
      'csum is',
    ],
  ])('refuses %s', (_, make, text) => {
    expect(() => ThinMetadata.open(make(), { cacheBlocks: 32 })).toThrow(CorruptionError);
    expect(() => ThinMetadata.open(make(), { cacheBlocks: 32 })).toThrow(text);
  });

  test('refuses versions and features it does not know, but for reading', () => {
    const forged = (name: Parameters<typeof word>[0], value: number) =>
      forgeSuperblock(formatted(), (words) => words.fill(value, word(name), word(name) + 1));
    const open = (device: MemoryDevice, readOnly = false) => ThinMetadata.open(device, { cacheBlocks: 32, readOnly });
    expect(() => open(forged('version', 3))).toThrow(UnsupportedError);
    expect(() => open(forged('incompatFlags', 1), true)).toThrow(UnsupportedError);
    expect(() => open(forged('compatRoFlags', 1))).toThrow(UnsupportedError);
    expect(open(forged('compatRoFlags', 1), true).devices()).toEqual([]);
    expect(open(forged('version', 1)).devices()).toEqual([]);
  });

  test('for reading, or of a read-only device, changes nothing', () => {
    const memory = formatted();
    for (const pool of [
      ThinMetadata.open(memory, { cacheBlocks: 32, readOnly: true }),
      ThinMetadata.open(new ReadOnlyDevice(memory), { cacheBlocks: 32 }),
    ]) {
      expect([pool.readOnly, pool.devices(), pool.hasThin(0)]).toEqual([true, [], false]);
      expect(() => pool.createThin(1)).toThrow(
        new ReadOnlyError('Cannot create thin device 1: the metadata is read-only'),
      );
      expect(() => pool.allocateDataBlock()).toThrow(ReadOnlyError);
      expect(() => pool.setNeedsCheck(true)).toThrow(ReadOnlyError);
      pool.commit();
      pool.rollback();
      pool.close();
    }
    expect(Buffer.compare(memory.toBytes(), formatted().toBytes())).toBe(0);
  });
});

describe('devices', () => {
  test('are made empty, once each', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(5);
    expect(() => pool.createThin(5)).toThrow(new StateError('Cannot create thin device 5: the id is taken'));
    pool.commit();
    expect(() => pool.createThin(5)).toThrow(StateError);
    expect(() => pool.createSnapshot({ snapshot: 5, origin: 5 })).toThrow(
      'Cannot create thin device 5: the id is taken',
    );
    expect([pool.hasThin(5), pool.hasThin(6)]).toEqual([true, false]);
    // A refusal has changed nothing: the transaction goes on.
    pool.createThin(2 ** 24 - 1);
    expect(pool.devices().map(({ id }) => id)).toEqual([5, 2 ** 24 - 1]);
    fixture.check();
  });

  test.each([-1, 1.5, 2 ** 24, Number.NaN])('have no id %s', (id) => {
    const { pool } = new ThinFixture();
    const text = `Cannot use ${id} as a thin device id: an integer from 0 to 16777215 is wanted`;
    expect(() => pool.createThin(id)).toThrow(new RangeError(text));
    expect(() => pool.createSnapshot({ snapshot: id, origin: 1 })).toThrow(RangeError);
    expect(() => pool.openThin(id)).toThrow(RangeError);
    expect(() => pool.deleteThin(id)).toThrow(RangeError);
  });

  test('that are not there are not opened, deleted or taken snapshots of', () => {
    const { pool } = new ThinFixture();
    const text = 'Cannot find thin device 9: the pool has none of this id';
    expect(() => pool.openThin(9)).toThrow(new StateError(text));
    expect(() => pool.deleteThin(9)).toThrow(new StateError(text));
    expect(() => pool.createSnapshot({ snapshot: 1, origin: 9 })).toThrow(new StateError(text));
    expect(pool.hasThin(1)).toBe(false);
    pool.createThin(1);
  });

  test('are not deleted while somebody has them open', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(1);
    const device = pool.openThin(1);
    expect(() => pool.deleteThin(1)).toThrow(new StateError('Cannot delete thin device 1: it is open'));
    device.close();
    pool.deleteThin(1);
    expect(pool.devices()).toEqual([]);
    fixture.check();
  });

  test('give their blocks up when they go, in the transaction that made them too', () => {
    for (const committed of [true, false]) {
      const fixture = new ThinFixture();
      const { pool } = fixture;
      pool.createThin(1);
      fixture.provision(1, 0, 300);
      if (committed) pool.commit();
      pool.deleteThin(1);
      fixture.check();
      expect(pool.nrFreeData).toBe(1000);
      pool.commit();
      fixture.check();
      // The id is free again, and the new device has nothing of the old one.
      pool.createThin(1);
      expect(fixture.mapped(1)).toBe('');
    }
  });

  test('are many: 300 in one transaction, deleted in another order', () => {
    const fixture = new ThinFixture({ nrMetadataBlocks: 1024 });
    const { pool } = fixture;
    const ids = Array.from({ length: 300 }, (_, i) => (i * 7919) % 100_003);
    for (const id of ids) pool.createThin(id);
    expect(pool.devices().map(({ id }) => id)).toEqual([...ids].sort((a, b) => a - b));
    fixture.check();
    pool.commit();
    fixture.check();
    for (const id of ids.slice(0, 250).reverse()) pool.deleteThin(id);
    fixture.check();
    pool.commit();
    fixture.check();
    expect(pool.devices().map(({ id }) => id)).toEqual(ids.slice(250).sort((a, b) => a - b));
  });

  test('carry the transaction id and time at which they were made', () => {
    const { pool } = new ThinFixture();
    pool.createThin(1);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    pool.setTransactionId({ expected: 0, next: 77 });
    pool.createThin(3);
    expect(pool.devices()).toEqual([
      { id: 1, mappedBlocks: 0, transactionId: 0, creationTime: 0, snapshottedTime: 1 },
      { id: 2, mappedBlocks: 0, transactionId: 0, creationTime: 1, snapshottedTime: 1 },
      { id: 3, mappedBlocks: 0, transactionId: 77, creationTime: 1, snapshottedTime: 1 },
    ]);
  });
});

describe('snapshots', () => {
  test('have what the origin had, and go their own way', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0, 3);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    expect([fixture.mapped(1), fixture.mapped(2)]).toEqual(['0:0! 1:1! 2:2!', '0:0! 1:1! 2:2!']);
    fixture.provision(1, 1);
    fixture.provision(2, 5);
    expect([fixture.mapped(1), fixture.mapped(2)]).toEqual(['0:0! 1:3 2:2!', '0:0! 1:1! 2:2! 5:4']);
    expect([0, 1, 2, 3, 4].map((b) => pool.dataBlockCount(b))).toEqual([2, 1, 2, 1, 1]);
    expect([pool.dataBlockIsShared(0), pool.dataBlockIsShared(1)]).toEqual([true, false]);
    fixture.check();
    pool.commit();
    fixture.check();
  });

  test('of snapshots of snapshots, deleted in any order', () => {
    for (const order of [
      [1, 2, 3, 4],
      [4, 3, 2, 1],
      [2, 4, 1, 3],
    ]) {
      const fixture = new ThinFixture({ nrMetadataBlocks: 512 });
      const { pool } = fixture;
      pool.createThin(1);
      fixture.provision(1, 0, 300);
      for (const id of [2, 3, 4]) {
        pool.createSnapshot({ snapshot: id, origin: id - 1 });
        fixture.provision(id - 1, 50 * id, 20);
        fixture.check();
      }
      pool.commit();
      const left = new Map([1, 2, 3, 4].map((id) => [id, fixture.mapped(id)]));
      for (const id of order) {
        pool.deleteThin(id);
        left.delete(id);
        fixture.check();
        pool.commit();
        fixture.check();
        for (const [other, mapped] of left) expect(fixture.mapped(other)).toBe(mapped);
      }
      expect(pool.nrFreeData).toBe(1000);
    }
  });

  test('move the clock; what is mapped later is not shared', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    fixture.provision(1, 1);
    expect([pool.time, fixture.mapped(1)]).toEqual([1, '0:0! 1:1']);
    pool.createSnapshot({ snapshot: 3, origin: 1 });
    expect([pool.time, fixture.mapped(1), fixture.mapped(2)]).toEqual([2, '0:0! 1:1!', '0:0!']);
    // Conservative: still said to be shared when the others are gone; true counts tell.
    pool.deleteThin(2);
    pool.deleteThin(3);
    expect([fixture.mapped(1), pool.dataBlockIsShared(0)]).toEqual(['0:0! 1:1!', false]);
    // To map the same block anew refreshes its time and counts nothing.
    const device = pool.openThin(1);
    device.insert(0, 0);
    expect([fixture.mapped(1), pool.dataBlockCount(0)]).toEqual(['0:0 1:1!', 1]);
    fixture.check();
  });

  test('end with the clock', () => {
    const device = forgeSuperblock(formatted(), (words) => words.fill(0xff_fffe, word('time'), word('time') + 1));
    const pool = ThinMetadata.open(device, { cacheBlocks: 32 });
    pool.createThin(1);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    expect(pool.time).toBe(0xff_ffff);
    expect(() => pool.createSnapshot({ snapshot: 3, origin: 1 })).toThrow(
      new StateError('Cannot take a snapshot: the snapshot clock is at 16777215, its last value'),
    );
    const thin = pool.openThin(2);
    thin.insert(0, pool.allocateDataBlock());
    expect(thin.find(0)).toEqual({ dataBlock: 0, shared: false });
  });

  test('a clock beyond what a mapping holds maps nothing: only damage sets it so', () => {
    const device = forgeSuperblock(formatted(), (words) => words.fill(0xffff_ffff, word('time'), word('time') + 1));
    const pool = ThinMetadata.open(device, { cacheBlocks: 32 });
    pool.createThin(1);
    const thin = pool.openThin(1);
    expect(() => thin.insert(0, pool.allocateDataBlock())).toThrow(StateError);
    expect(() => pool.createSnapshot({ snapshot: 3, origin: 1 })).toThrow(StateError);
  });
});

describe('data blocks', () => {
  test('are counted for whoever takes a reference', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.incDataRange(10, 20);
    pool.incDataRange(15, 20);
    pool.decDataRange(18, 20);
    expect([9, 10, 15, 17, 18, 20].map((b) => pool.dataBlockCount(b))).toEqual([0, 1, 2, 2, 1, 0]);
    expect(pool.nrFreeData).toBe(990);
    const owned = new Map(Array.from({ length: 10 }, (_, i) => [10 + i, i >= 5 && i < 8 ? 2 : 1]));
    fixture.check(false, owned);
    pool.commit();
    fixture.check(true, owned);
  });

  test('freed in this transaction are counted as free, and are to be had after the commit (R27)', () => {
    const fixture = new ThinFixture({ nrDataBlocks: 4 });
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0, 4);
    expect(() => pool.allocateDataBlock()).toThrow(NoSpaceError);
    pool.commit();
    fixture.unmap(1, 1, 3);
    expect(pool.nrFreeData).toBe(2);
    expect(() => pool.allocateDataBlock()).toThrow('none of 4 is free, 2 will be after a commit');
    pool.commit();
    expect(fixture.provision(1, 10, 2)).toEqual([1, 2]);
    fixture.check();
  });

  test('never fall below a count of 0 (R3)', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    expect(() => pool.decDataRange(5, 6)).toThrow(CorruptionError);
    expect(() => pool.createThin(1)).toThrow(StateError);
    pool.rollback();
    fixture.check();
    pool.createThin(1);
  });
});

describe('resizing', () => {
  test('the data space grows, and shrinks where it is free', () => {
    const fixture = new ThinFixture({ nrDataBlocks: 10 });
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0, 10);
    pool.resizeData(40_000);
    expect([pool.nrDataBlocks, fixture.provision(1, 10)]).toEqual([10, [10]]);
    pool.commit();
    fixture.check();
    expect([pool.nrDataBlocks, pool.nrFreeData]).toEqual([40_000, 39_989]);
    expect(() => pool.resizeData(10)).toThrow(
      new NoSpaceError('Cannot shrink the data space to 10 blocks: block 10 is in use', 'data'),
    );
    pool.resizeData(11);
    pool.resizeData(11);
    pool.commit();
    fixture.check();
    expect([pool.nrDataBlocks, pool.nrFreeData]).toEqual([11, 0]);
    for (const count of [-1, 1.5]) expect(() => pool.resizeData(count)).toThrow(RangeError);
    fixture.reopen();
    fixture.check();
  });

  test('the metadata space grows with its device, by several bitmaps, from a full one', () => {
    const fixture = new ThinFixture({ nrMetadataBlocks: 64, nrDataBlocks: 20_000 });
    const { pool } = fixture;
    pool.createThin(1);
    expect(() => {
      for (let i = 0; ; i++) fixture.provision(1, i * 1000, 10);
    }).toThrow(NoSpaceError);
    pool.commit();
    for (const size of [100, 20_000, 60_000]) {
      pool.resizeMetadata(size);
      fixture.check();
      pool.commit();
      fixture.check();
      expect([pool.nrMetadataBlocks, fixture.device.nrBlocks]).toEqual([size, size]);
      pool.createThin(size);
    }
    fixture.reopen();
    expect([fixture.pool.nrMetadataBlocks, fixture.pool.devices().length]).toEqual([60_000, 4]);
    fixture.check();
  });

  test('the metadata space takes a device that has grown by itself', () => {
    const memory = new MemoryDevice({ nrBlocks: 64 });
    const fixture = new ThinFixture({ device: memory });
    memory.resize(200);
    fixture.pool.resizeMetadata(150);
    fixture.pool.commit();
    expect([fixture.pool.nrMetadataBlocks, memory.nrBlocks]).toEqual([150, 200]);
    fixture.check();
  });

  test('the metadata space shrinks where its tail is free; the device stays as long as it is', () => {
    const fixture = new ThinFixture({ nrMetadataBlocks: 1000 });
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0, 10);
    pool.commit();
    pool.resizeMetadata(100);
    pool.commit();
    fixture.check();
    expect([pool.nrMetadataBlocks, fixture.device.nrBlocks]).toEqual([100, 1000]);
    expect(() => pool.resizeMetadata(5)).toThrow(/^Cannot shrink the metadata space to 5 blocks: block \d+ is in use$/);
    expect(() => pool.resizeMetadata(0)).toThrow(RangeError);
    fixture.reopen();
    fixture.check();
  });

  test('a device of fixed length is not lengthened', () => {
    const { nrBlocks, readOnly } = new MemoryDevice({ nrBlocks: 64 });
    const memory = new MemoryDevice({ nrBlocks });
    const fixed = {
      nrBlocks,
      readOnly,
      read: memory.read.bind(memory),
      write: memory.write.bind(memory),
      flush: () => {},
      close: () => {},
    };
    const pool = ThinMetadata.format(fixed, { cacheBlocks: 32, dataBlockSizeSectors: 128, nrDataBlocks: 1 });
    expect(() => pool.resizeMetadata(65)).toThrow(new UnsupportedError('Cannot resize: the device has a fixed length'));
  });
});

describe('the transaction id', () => {
  test('is changed only by whoever knows it', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.setTransactionId({ expected: 0, next: 5 });
    pool.setTransactionId({ expected: 5n, next: 2n ** 64n - 1n });
    expect(() => pool.setTransactionId({ expected: 5, next: 6 })).toThrow(
      new StateError('Cannot set the transaction id: it is 18446744073709551615, 5 was expected'),
    );
    fixture.reopen();
    expect(fixture.pool.transactionId).toBe(2n ** 64n - 1n);
  });

  test.each([-1, 1.5, 2 ** 53, 2n ** 64n, Number.NaN])('is no %s, and a refusal does no harm', (next) => {
    // What does not fit used to be noticed by the commit, half-way.
    const fixture = new ThinFixture();
    expect(() => fixture.pool.setTransactionId({ expected: 0, next })).toThrow(RangeError);
    expect(() => fixture.pool.setTransactionId({ expected: next, next: 0 })).toThrow(RangeError);
    fixture.pool.createThin(1);
    fixture.pool.commit();
    fixture.check();
  });

  test('alone changes only the superblock', () => {
    const { pool, device } = new ThinFixture();
    device.take();
    pool.setTransactionId({ expected: 0, next: 5 });
    pool.commit();
    expect(device.takeWrites()).toEqual(['flush', 'write 0+1', 'flush']);
  });
});

describe('needs_check', () => {
  test('is kept over opening, and leaves other flags alone', () => {
    const fixture = new ThinFixture();
    fixture.pool.setNeedsCheck(true);
    fixture.pool.setNeedsCheck(true);
    expect(fixture.pool.needsCheck).toBe(true);
    fixture.reopen();
    expect(fixture.pool.needsCheck).toBe(true);
    fixture.pool.setNeedsCheck(false);
    fixture.pool.rollback();
    expect(fixture.pool.needsCheck).toBe(true);
    fixture.pool.setNeedsCheck(false);
    fixture.reopen();
    expect(fixture.pool.needsCheck).toBe(false);
  });
});

describe('the metadata threshold', () => {
  test('calls back once as blocks run out, also after a rollback (R24)', () => {
    const fixture = new ThinFixture({ nrMetadataBlocks: 200 });
    const callback = vi.fn();
    fixture.pool.registerMetadataThreshold(150, callback);
    const exhaust = () => {
      for (let id = 0; id < 60; id++) fixture.pool.createThin(id);
    };
    exhaust();
    expect(callback).toHaveBeenCalledTimes(1);
    fixture.pool.rollback();
    exhaust();
    expect(callback).toHaveBeenCalledTimes(2);
    fixture.pool.commit();
    fixture.check();
  });
});

test('closing commits, once, and ends everything', () => {
  const fixture = new ThinFixture();
  fixture.pool.createThin(1);
  const { pool } = fixture;
  pool[Symbol.dispose]();
  pool.close();
  for (const use of [
    () => pool.createThin(2),
    () => pool.devices(),
    () => pool.hasThin(1),
    () => pool.openThin(1),
    () => pool.dataBlockCount(0),
    () => pool.dataBlockIsShared(0),
    () => pool.commit(),
    () => pool.rollback(),
    () => pool.view(),
  ]) {
    expect(use).toThrow(/^Cannot .*: the pool is closed$/);
  }
  expect(ThinMetadata.open(fixture.device, { cacheBlocks: 32 }).hasThin(1)).toBe(true);
});

describe('a damaged pool', () => {
  test('a device without details, or details without a device, are refused before anything is changed', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(1);
    pool.createThin(2);
    pool.commit();
    const { core } = pool;
    core.detailsRoot = core.details.remove(core.detailsRoot, 1);
    core.mappingRoot = core.topLevel.remove(core.mappingRoot, 2);
    pool.setNeedsCheck(false);
    pool.commit();
    fixture.crash();
    const damaged = fixture.pool;
    for (const use of [
      () => damaged.createSnapshot({ snapshot: 3, origin: 1 }),
      () => damaged.createSnapshot({ snapshot: 3, origin: 2 }),
      () => damaged.deleteThin(1),
      () => damaged.deleteThin(2),
      () => damaged.openThin(1),
      () => damaged.devices(),
    ]) {
      expect(use).toThrow(/^Cannot find thin device [12]: the pool has none of this id$/);
    }
    expect([damaged.time, damaged.hasThin(3), damaged.core.tm.broken]).toEqual([0, false, undefined]);
    damaged.commit();
  });
});
