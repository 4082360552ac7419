import { describe, expect, test, vi } from 'vitest';
import { checkPool } from '../../../../test/structures/check-pool.ts';
import { ThinFixture } from '../../../../test/structures/thin-fixture.ts';
import { CorruptionError, DeviceError, NoSpaceError, ReadOnlyError, StateError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { CrashDevice, type Fault, FaultDevice } from '../testing/index.ts';
import { ThinMetadata } from './metadata.ts';

/** A pool with device 1, whose blocks 0 to 299 are mapped, committed; over a device that can be told to fail. */
function faulty(options: { cacheBlocks?: number } = {}) {
  const memory = new MemoryDevice({ nrBlocks: 256 });
  const faults = new FaultDevice(memory);
  const fixture = new ThinFixture({ device: faults, ...options });
  fixture.pool.createThin(1);
  fixture.provision(1, 0, 300);
  fixture.pool.commit();
  const fail = (call: 'read' | 'write' | 'flush', after = 0, more: Partial<Fault> = {}) =>
    faults.inject({ kind: 'error', call, at: faults.calls[call] + after, ...more } as Fault);
  /** What is found when the disk is opened again. */
  const onDisk = () => {
    const pool = ThinMetadata.open(memory, { cacheBlocks: 64 });
    return pool.devices().map(({ id, mappedBlocks }) => `${id}:${mappedBlocks}`);
  };
  return { memory, faults, fixture, pool: fixture.pool, fail, onDisk };
}

/** A device whose asynchronous flushes end when the test says so. */
function held(options: { flushDataAsync?: () => Promise<void>; flushData?: () => void } = {}) {
  const device = new CrashDevice({ nrBlocks: 256, asyncFlush: 'held' });
  const fixture = new ThinFixture({ device, ...options });
  fixture.pool.createThin(1);
  fixture.provision(1, 0, 10);
  fixture.pool.commit();
  /** Lets everything go on that can. */
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const finish = async () => {
    device.finishFlush();
    await settle();
  };
  const durable = () => {
    const pool = ThinMetadata.open(device.durable(), { cacheBlocks: 64 });
    return pool.devices().map(({ id, mappedBlocks }) => `${id}:${mappedBlocks}`);
  };
  return { device, fixture, pool: fixture.pool, settle, finish, durable };
}

describe('a commit', () => {
  test('flushes the data, writes the metadata, flushes, writes the superblock, flushes', () => {
    const order: string[] = [];
    let written: () => string[] = () => [];
    const fixture = new ThinFixture({ flushData: () => order.push(...written(), 'data') });
    written = () => fixture.device.takeWrites();
    fixture.pool.createThin(1);
    fixture.provision(1, 0);
    order.length = 0;
    fixture.device.take();
    fixture.pool.commit();
    order.push(...fixture.device.takeWrites());
    expect(order[0]).toBe('data');
    expect(order.slice(-3)).toEqual(['flush', 'write 0+1', 'flush']);
    expect(order.slice(1, -3).every((call) => /^write [1-9]/.test(call))).toBe(true);
    expect(order.length).toBeGreaterThan(4);
  });

  test('of nothing does nothing, not even a data flush', () => {
    const flushData = vi.fn();
    const { pool, device } = new ThinFixture({ flushData });
    flushData.mockClear();
    device.take();
    pool.commit();
    pool.commit();
    expect([flushData.mock.calls.length, device.take()]).toEqual([0, []]);
  });

  test('without a change of any count writes the superblock alone, with the same bytes', () => {
    const memory = new MemoryDevice({ nrBlocks: 64 });
    const fixture = new ThinFixture({ device: memory });
    fixture.pool.setTransactionId({ expected: 0, next: 0 });
    fixture.device.take();
    const before = memory.toBytes();
    fixture.pool.commit();
    expect(fixture.device.takeWrites()).toEqual(['flush', 'write 0+1', 'flush']);
    expect(Buffer.compare(memory.toBytes(), before)).toBe(0);
  });

  test('writes changed details in the order of the devices in core, newest first', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    for (const id of [1, 2, 3]) pool.createThin(id);
    const written: unknown[] = [];
    const { core } = pool;
    const insert = core.details.insert.bind(core.details);
    vi.spyOn(core.details, 'insert').mockImplementation((root, key, value) => {
      written.push(key);
      return insert(root, key, value);
    });
    pool.commit();
    expect(written.splice(0)).toEqual([3, 2, 1]);
    // Who stays open stays in core, and keeps its place; the others come to the head when they are used again.
    const handle = pool.openThin(2);
    fixture.provision(1, 0);
    fixture.provision(3, 0);
    handle.insert(0, pool.allocateDataBlock());
    pool.commit();
    expect(written.splice(0)).toEqual([3, 1, 2]);
    pool.createSnapshot({ snapshot: 9, origin: 2 });
    pool.createSnapshot({ snapshot: 8, origin: 1 });
    pool.commit();
    // The origin that was not in core was loaded after the new device was made.
    expect(written.splice(0)).toEqual([1, 8, 9, 2]);
    pool.commit();
    expect(written).toEqual([]);
    handle.close();
  });
});

describe('a commit that fails', () => {
  test('in the data flush has done nothing, and may be tried again', () => {
    let isBad = false;
    const fixture = new ThinFixture({
      flushData: () => {
        if (isBad) throw new Error('smoke');
      },
    });
    fixture.pool.createThin(1);
    isBad = true;
    expect(() => fixture.pool.commit()).toThrow('smoke');
    expect(fixture.pool.changedThisTransaction).toBe(true);
    isBad = false;
    fixture.pool.createThin(2);
    fixture.pool.commit();
    fixture.crash();
    expect(fixture.pool.devices().map(({ id }) => id)).toEqual([1, 2]);
  });

  test.each([
    ['the first write', 'write', 0],
    ['the first flush', 'flush', 0],
    ['the last flush', 'flush', 1],
  ] as const)(
    'at %s latches the pool, which says why; the disk holds the last commit or this one',
    (_, call, after) => {
      const { fixture, pool, fail, onDisk } = faulty();
      pool.createThin(2);
      fail(call, after);
      expect(() => pool.commit()).toThrow(DeviceError);
      for (const use of [
        () => pool.createThin(3),
        () => pool.devices(),
        () => pool.openThin(1),
        () => pool.dataBlockCount(0),
        () => pool.commit(),
      ]) {
        expect(use).toThrow(ReadOnlyError);
        expect(use).toThrow(/latched after a failure, reopen to go on: .*EIO/s);
      }
      expect(() => pool.rollback()).toThrow(ReadOnlyError);
      pool.close();
      expect(onDisk()).toEqual(after === 1 ? ['1:300', '2:0'] : ['1:300']);
      fixture.crash();
      fixture.check();
    },
  );

  test('as the superblock cannot be read again is rolled back: nothing the disk refers to was handed out', () => {
    // The maps in core took themselves for committed. A later transaction could then overwrite blocks of the commit on the disk.
    const { fixture, pool, onDisk } = faulty();
    fixture.unmap(1, 0, 100);
    const { blockManager } = pool.core;
    const read = blockManager.read.bind(blockManager);
    const failure = new DeviceError('smoke');
    vi.spyOn(blockManager, 'read').mockImplementation((b, validator) => {
      if (b === 0) throw failure;
      return read(b, validator);
    });
    expect(() => pool.commit()).toThrow(failure);
    vi.restoreAllMocks();
    expect(() => pool.allocateDataBlock()).toThrow(StateError);
    expect(() => pool.commit()).toThrow('the transaction failed and has to be rolled back: smoke');
    pool.rollback();
    fixture.check();
    expect([onDisk(), pool.devices()[0]?.mappedBlocks]).toEqual([['1:300'], 300]);
    fixture.unmap(1, 0, 100);
    pool.commit();
    fixture.check();
  });

  test('for lack of metadata space is rolled back', () => {
    const { fixture, pool, onDisk } = faulty();
    pool.createThin(2);
    const reason = new NoSpaceError('smoke', 'metadata');
    const spy = vi.spyOn(pool.core.spaceMap, 'newBlock').mockImplementation(() => {
      throw reason;
    });
    expect(() => pool.commit()).toThrow(reason);
    spy.mockRestore();
    expect(() => pool.createThin(3)).toThrow(StateError);
    pool.rollback();
    expect([onDisk(), pool.hasThin(2)]).toEqual([['1:300'], false]);
    fixture.check();
  });
});

describe('a rollback', () => {
  test('throws away all changes since the last commit', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0, 5);
    pool.commit();
    const handle = pool.openThin(1);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    fixture.provision(1, 3, 200);
    pool.setTransactionId({ expected: 0, next: 4 });
    pool.setNeedsCheck(true);
    pool.resizeData(5000);
    pool.rollback();
    expect([pool.time, pool.transactionId, pool.needsCheck, pool.nrDataBlocks, pool.changedThisTransaction]).toEqual([
      0,
      0,
      false,
      1000,
      false,
    ]);
    expect([fixture.mapped(1), handle.mappedBlocks, handle.snapshottedTime, pool.hasThin(2)]).toEqual([
      '0:0 1:1 2:2 3:3 4:4',
      5,
      0,
      false,
    ]);
    fixture.check();
    pool.commit();
    fixture.check();
  });

  test('brings a deleted device back; a handle of another one of its id is gone', () => {
    const fixture = new ThinFixture();
    const { pool } = fixture;
    pool.createThin(1);
    fixture.provision(1, 0, 5);
    pool.commit();
    pool.setTransactionId({ expected: 0, next: 7 });
    pool.deleteThin(1);
    pool.createThin(1);
    const impostor = pool.openThin(1);
    impostor.insert(0, pool.allocateDataBlock());
    pool.rollback();
    expect(() => impostor.find(0)).toThrow('it was deleted or rolled back');
    impostor.close();
    expect(pool.devices()).toEqual([{ id: 1, mappedBlocks: 5, transactionId: 0, creationTime: 0, snapshottedTime: 0 }]);
    fixture.provision(1, 9);
    fixture.reopen();
    expect(fixture.pool.devices()).toMatchObject([{ mappedBlocks: 6, transactionId: 0 }]);
    fixture.check();
  });

  test('that cannot read the disk leaves a pool that refuses, and may be tried again', () => {
    // It used to leave the roots of the lost transaction in core, which look-ups followed into whatever the disk has there.
    const { fixture, pool, fail } = faulty();
    const handle = pool.openThin(1);
    handle.insert(500, pool.allocateDataBlock());
    fail('read');
    expect(() => pool.rollback()).toThrow(DeviceError);
    for (const use of [() => handle.find(500), () => pool.devices(), () => pool.commit(), () => pool.createThin(2)]) {
      expect(use).toThrow(StateError);
    }
    pool.rollback();
    expect([handle.find(500), handle.find(5)?.dataBlock, handle.mappedBlocks]).toEqual([undefined, 5, 300]);
    fixture.check();
  });

  test('notices a disk that was damaged meanwhile', () => {
    const { memory, pool, fixture } = faulty();
    const superblock = new Uint8Array(4096);
    memory.read(0, [superblock]);
    memory.write(0, [new Uint8Array(4096)]);
    expect(() => pool.rollback()).toThrow(CorruptionError);
    expect(() => pool.devices()).toThrow(StateError);
    memory.write(0, [superblock]);
    pool.rollback();
    fixture.check();
  });
});

describe('an asynchronous commit', () => {
  test('acknowledges when all is durable, and not before', async () => {
    const { pool, settle, finish, durable } = held();
    pool.createThin(2);
    let isDone = false;
    const done = pool.commitAsync().then(() => {
      isDone = true;
    });
    await settle();
    expect([isDone, durable()]).toEqual([false, ['1:10']]);
    await finish();
    // The metadata is there; the superblock is written, and waits for its own flush.
    expect([isDone, durable()]).toEqual([false, ['1:10']]);
    await finish();
    await done;
    expect([isDone, durable()]).toEqual([true, ['1:10', '2:0']]);
  });

  test('lets the next transaction begin at once: its changes are not in it', async () => {
    const { fixture, pool, settle, finish, durable } = held();
    fixture.provision(1, 100);
    const first = pool.commitAsync();
    await settle();
    expect(pool.changedThisTransaction).toBe(false);
    fixture.provision(1, 101);
    pool.createSnapshot({ snapshot: 2, origin: 1 });
    fixture.unmap(1, 0, 5);
    fixture.check(false);
    await finish();
    fixture.provision(1, 102);
    await finish();
    await first;
    expect(durable()).toEqual(['1:11']);
    fixture.check(false);
    const second = pool.commitAsync();
    await settle();
    await finish();
    await finish();
    await second;
    expect(durable()).toEqual(['1:8', '2:12']);
    fixture.check();
  });

  test('keeps what the disk refers to out of use until the new superblock is there', async () => {
    const { device, fixture, pool, settle, finish } = held();
    fixture.provision(1, 100, 300);
    pool.commit();
    for (let round = 0; round < 10; round++) {
      fixture.unmap(1, 100 + round * 5, 105 + round * 5);
      const done = pool.commitAsync();
      await settle();
      // Allocates and frees in the next transaction while the old superblock is the one on the disk.
      fixture.provision(1, 600 + 7 * round, 5);
      fixture.unmap(1, 300 + round, 301 + round);
      for (const state of device.crashPoint().states({ limit: 10, seed: round })) {
        const disk = state.open();
        checkPool(ThinMetadata.open(disk, { cacheBlocks: 64 }), disk, { isCommitted: true });
      }
      await finish();
      await finish();
      await done;
      fixture.check(false);
    }
  });

  test('waits for one that is under way, and does nothing where nothing is left to do', async () => {
    const { device, pool, settle, finish, durable } = held();
    pool.createThin(2);
    const order: number[] = [];
    const first = pool.commitAsync().then(() => order.push(1));
    pool.createThin(3);
    const second = pool.commitAsync().then(() => order.push(2));
    const third = pool.commitAsync().then(() => order.push(3));
    await settle();
    for (let i = 0; i < 4; i++) await finish();
    await Promise.all([first, second, third]);
    expect([order, durable(), device.nrOpen]).toEqual([[1, 2, 3], ['1:10', '2:0', '3:0'], 0]);
  });

  test('is not overtaken by a synchronous one, a metadata snapshot or a close', async () => {
    const { pool, settle, finish, durable } = held();
    pool.createThin(2);
    const done = pool.commitAsync();
    await settle();
    // Although nothing was changed since: what was before is not durable.
    expect(() => pool.commit()).toThrow(
      new StateError('Cannot commit: an asynchronous commit is under way, await it first'),
    );
    expect(() => pool.close()).toThrow('Cannot close: an asynchronous commit is under way, await it first');
    pool.createThin(3);
    expect(() => pool.commit()).toThrow(StateError);
    expect(() => pool.reserveMetadataSnapshot()).toThrow(StateError);
    await finish();
    await finish();
    await done;
    pool.close();
    expect(durable()).toEqual(['1:10', '2:0', '3:0']);
  });

  test('is what a rollback goes back to, while it is under way and after', async () => {
    const { fixture, pool, settle, finish, durable } = held();
    pool.createThin(2);
    const done = pool.commitAsync();
    await settle();
    pool.createThin(3);
    pool.rollback();
    expect([pool.hasThin(2), pool.hasThin(3)]).toEqual([true, false]);
    fixture.check(false);
    await finish();
    pool.createThin(4);
    pool.rollback();
    expect([pool.hasThin(2), pool.hasThin(4)]).toEqual([true, false]);
    await finish();
    await done;
    expect(durable()).toEqual(['1:10', '2:0']);
    fixture.check();
  });

  test('flushes the data before the superblock, in whichever way it is given', async () => {
    for (const way of ['flushDataAsync', 'flushData'] as const) {
      const order: string[] = [];
      const { device, pool, settle, finish } = held({
        [way]: () => {
          order.push('data');
          return way === 'flushDataAsync' ? Promise.resolve() : undefined;
        },
      });
      order.length = 0;
      pool.createThin(2);
      const writes = device.nrWrites;
      const done = pool.commitAsync();
      await settle();
      expect([order, device.nrWrites > writes]).toEqual([['data'], true]);
      await finish();
      await finish();
      await done;
    }
  });

  test('waits for the data', async () => {
    let release: () => void = () => {};
    const { pool, settle, finish, durable } = held({
      flushDataAsync: () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    });
    pool.createThin(2);
    const done = pool.commitAsync();
    await settle();
    await finish();
    await settle();
    expect(durable()).toEqual(['1:10']);
    release();
    await settle();
    await finish();
    await done;
    expect(durable()).toEqual(['1:10', '2:0']);
  });

  test('that fails breaks the transaction that follows it; a rollback returns to the disk', async () => {
    const { fixture, pool, durable, settle, finish } = held({
      flushDataAsync: () => Promise.reject(new DeviceError('the data device failed')),
    });
    pool.createThin(2);
    const done = pool.commitAsync();
    pool.createThin(3);
    await expect(done).rejects.toThrow('the data device failed');
    expect(() => pool.createThin(4)).toThrow(StateError);
    await expect(pool.commitAsync()).rejects.toThrow(StateError);
    pool.rollback();
    expect([pool.devices().map(({ id }) => id), durable()]).toEqual([[1], ['1:10']]);
    fixture.check();
    await settle();
    await finish();
    expect(pool.core.tm.broken).toBeUndefined();
  });

  test('that fails at the disk latches the pool', async () => {
    for (const after of [0, 1]) {
      const { pool, fail, onDisk, fixture } = faulty();
      pool.createThin(2);
      fail('flush', after);
      await expect(pool.commitAsync()).rejects.toThrow(DeviceError);
      expect(() => pool.devices()).toThrow(ReadOnlyError);
      expect(() => pool.rollback()).toThrow(ReadOnlyError);
      expect(onDisk()).toEqual(after === 1 ? ['1:300', '2:0'] : ['1:300']);
      fixture.crash();
      fixture.check();
    }
  });

  test('that cannot even begin leaves no promise behind that nobody hears of', async () => {
    // The data flush was under way when preparing failed; its own failure went to nobody, which ends a program.
    const unheard = vi.fn();
    process.on('unhandledRejection', unheard);
    const { pool } = held({ flushDataAsync: () => Promise.reject(new DeviceError('the data device failed')) });
    pool.createThin(2);
    const reason = new NoSpaceError('smoke', 'metadata');
    vi.spyOn(pool.core.spaceMap, 'newBlock').mockImplementation(() => {
      throw reason;
    });
    await expect(pool.commitAsync()).rejects.toBe(reason);
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    pool.rollback();
    expect(pool.hasThin(2)).toBe(false);
  });
});

describe('closing', () => {
  test('does not commit a broken transaction', () => {
    const { pool, onDisk } = faulty();
    pool.createThin(2);
    expect(() => pool.decDataRange(900, 901)).toThrow(CorruptionError);
    pool.close();
    expect(onDisk()).toEqual(['1:300']);
  });

  test('ends the pool even where its commit fails', () => {
    const { pool, fail, onDisk } = faulty();
    pool.createThin(2);
    fail('write');
    expect(() => pool.close()).toThrow(DeviceError);
    pool.close();
    expect(() => pool.devices()).toThrow('the pool is closed');
    expect(onDisk()).toEqual(['1:300']);
  });
});
