/** Bugs that the kernel's thin metadata had, each with its story: what happened, why, what prevents it now. Numbers: ALGORITHMS §12. */

import { NoSpaceError, StateError } from 'persistent-data/base';
import { describe, expect, test, vi } from 'vitest';
import { ThinFixture } from '../structures/thin-fixture.ts';

test('R11: a metadata snapshot keeps the trees of all devices', () => {
  // What happened: after a metadata snapshot the mappings of a device were freed while the snapshot still showed them.
  // Why: when the shared leaf of the first level was copied, the roots in it, which two leaves referred to now, were not incremented.
  // Now: the values of every level are references, and are incremented with the leaf that holds them.
  const fixture = new ThinFixture({ nrMetadataBlocks: 512 });
  const { pool } = fixture;
  for (const id of [1, 2, 3]) {
    pool.createThin(id);
    fixture.provision(id, 0, 300);
  }
  pool.reserveMetadataSnapshot();
  pool.commit();
  pool.createThin(4);
  fixture.check();
  pool.deleteThin(2);
  fixture.check();
  fixture.provision(1, 100, 100);
  fixture.check();
  pool.commit();
  fixture.check();
  pool.releaseMetadataSnapshot();
  fixture.check();
  pool.commit();
  fixture.check();
});

test('R13: a metadata snapshot holds what was committed', () => {
  // What happened: a metadata snapshot showed trees that no commit had ever made durable, or missed the latest changes.
  // Why: the superblock was copied as the last commit had left it, while the roots in core had moved on.
  // Now: reserving commits first, and the copy is made of that.
  const fixture = new ThinFixture();
  const { pool } = fixture;
  pool.createThin(1);
  fixture.provision(1, 0, 10);
  const details = (id: number) => {
    const { core } = pool;
    const held = core.blockManager;
    expect(held.nrLocked).toBe(0);
    return core.details.lookup(core.detailsRoot, id)?.mappedBlocks;
  };
  expect(details(1)).toBeUndefined();
  fixture.device.take();
  pool.reserveMetadataSnapshot();
  expect(fixture.device.takeWrites().at(-2)).toBe('write 0+1');
  expect(details(1)).toBe(10);
  fixture.provision(1, 10, 5);
  pool.commit();
  fixture.crash();
  fixture.check(true);
  fixture.unmap(1, 0, 15);
  fixture.pool.releaseMetadataSnapshot();
  fixture.check();
  expect(fixture.pool.nrFreeData).toBe(1000);
});

/** Operations on a pool that has been through something, and is committed. */
const OPERATIONS: Record<string, (fixture: ThinFixture) => void> = {
  'create a device': ({ pool }) => pool.createThin(70),
  'create a device, with a split of the first level': ({ pool }) => {
    for (let id = 100; id < 240; id++) pool.createThin(id);
  },
  'take a snapshot': ({ pool }) => pool.createSnapshot({ snapshot: 70, origin: 1 }),
  'map a block': (fixture) => void fixture.provision(1, 5000),
  'map blocks, with splits': (fixture) => void fixture.provision(2, 0, 300),
  'map a block that is shared': (fixture) => void fixture.provision(1, 5),
  'unmap blocks, with merges': (fixture) => void fixture.unmap(1, 100, 450),
  'delete a device': ({ pool }) => pool.deleteThin(3),
  'delete a device that shares': ({ pool }) => pool.deleteThin(1),
  'reserve a metadata snapshot': ({ pool }) => pool.reserveMetadataSnapshot(),
  'release the metadata snapshot': ({ pool }) => pool.releaseMetadataSnapshot(),
  'count blocks up to three, and back': ({ pool }) => {
    for (let i = 0; i < 4; i++) pool.incDataRange(700, 800);
    for (let i = 0; i < 4; i++) pool.decDataRange(700, 800);
  },
  'grow the data': ({ pool }) => pool.resizeData(100_000),
  'grow the metadata': ({ pool }) => pool.resizeMetadata(40_000),
  commit: ({ pool }) => {
    pool.setTransactionId({ expected: 0, next: 1 });
    pool.openThin(1).removeRange(0, 10);
    pool.commit();
  },
};

function prepared(): ThinFixture {
  const fixture = new ThinFixture({ nrMetadataBlocks: 600, cacheBlocks: 64 });
  const { pool } = fixture;
  for (const id of [1, 2, 3]) pool.createThin(id);
  fixture.provision(1, 0, 500);
  fixture.provision(3, 0, 20);
  pool.createSnapshot({ snapshot: 4, origin: 1 });
  fixture.provision(1, 50, 10);
  return fixture;
}

describe('R14, R15: an allocation that fails, wherever it is', () => {
  // What happened: after an allocation had failed in the midst of a split or a deletion, a half-made node reached the disk, an error was lost,
  // or a block stayed locked for ever.
  // Why: each of those paths undid by hand what had been done so far, and not all of it.
  // Now: nothing is undone by hand. The transaction is broken, says so to every call, and a rollback returns to the last commit, whole.
  test.each(Object.keys(OPERATIONS))('%s', (name) => {
    const operation = OPERATIONS[name]!;
    let nrPoints = 0;
    for (let failAt = 0; ; failAt++) {
      const fixture = prepared();
      const { pool } = fixture;
      if (name.startsWith('release')) pool.reserveMetadataSnapshot();
      pool.commit();
      const before = JSON.stringify([pool.devices(), fixture.mapped(4), pool.metadataSnapshot, pool.nrFreeData]);
      const { spaceMap } = pool.core;
      const newBlock = spaceMap.newBlock.bind(spaceMap);
      const reason = new NoSpaceError('injected', 'metadata');
      let count = 0;
      const spy = vi.spyOn(spaceMap, 'newBlock').mockImplementation(() => {
        if (count++ === failAt) throw reason;
        return newBlock();
      });
      let failure: unknown;
      try {
        operation(fixture);
      } catch (error) {
        failure = error;
      }
      spy.mockRestore();
      if (count <= failAt) {
        expect(failure).toBeUndefined();
        break;
      }
      nrPoints++;
      expect(failure, `allocation ${failAt}`).toBe(reason);
      for (const use of [() => pool.createThin(90), () => pool.devices(), () => pool.commit()]) {
        expect(use).toThrow(StateError);
      }
      pool.rollback();
      fixture.check(true);
      expect(pool.core.blockManager.nrLocked).toBe(0);
      expect(JSON.stringify([pool.devices(), fixture.mapped(4), pool.metadataSnapshot, pool.nrFreeData])).toBe(before);
      // And the disk is as good: nothing that was written early is in the way.
      fixture.crash();
      fixture.check(true);
      operation(fixture);
      fixture.check();
    }
    expect(nrPoints).toBeGreaterThan(0);
  });
});

test('R25: a rollback returns to the committed roots, at once', () => {
  // What happened: after an abort look-ups went through trees of the lost transaction, into blocks that held something else by then.
  // Why: the roots in core were kept, and were read anew only when the next transaction began; and where the abort failed, not at all.
  // Now: a rollback opens the last commit before it returns, or leaves a pool that refuses everything.
  const fixture = new ThinFixture();
  const { pool } = fixture;
  pool.createThin(1);
  fixture.provision(1, 0, 400);
  pool.commit();
  const handle = pool.openThin(1);
  fixture.unmap(1, 0, 399);
  fixture.provision(1, 10, 300);
  pool.createSnapshot({ snapshot: 2, origin: 1 });
  pool.rollback();
  expect([handle.find(0), handle.find(399), handle.mappedBlocks, pool.hasThin(2)]).toEqual([
    { dataBlock: 0, shared: false },
    { dataBlock: 399, shared: false },
    400,
    false,
  ]);
  fixture.unmap(1, 5, 6);
  const failure = new Error('smoke');
  const spy = vi.spyOn(fixture.device, 'read').mockImplementation(() => {
    throw failure;
  });
  expect(() => pool.rollback()).toThrow(failure);
  spy.mockRestore();
  expect(() => handle.find(0)).toThrow(StateError);
  pool.rollback();
  expect(handle.find(5)).toEqual({ dataBlock: 5, shared: false });
  fixture.check(true);
});
