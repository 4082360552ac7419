import { expect, test } from 'vitest';
import { ThinFixture } from '../../../../test/structures/thin-fixture.ts';
import { CorruptionError, StateError } from '../base/index.ts';
import { readHeldSuperblock } from './metadata-snapshot.ts';

function fixtureWithDevice(): ThinFixture {
  const fixture = new ThinFixture();
  fixture.pool.createThin(1);
  fixture.provision(1, 0, 300);
  return fixture;
}

test('a metadata snapshot holds the trees as they were, whatever comes after', () => {
  const fixture = fixtureWithDevice();
  const { pool } = fixture;
  pool.setTransactionId({ expected: 0, next: 9 });
  pool.reserveMetadataSnapshot();
  expect(pool.metadataSnapshot).toBeGreaterThan(0);
  fixture.check();
  pool.commit();
  fixture.check();
  const held = readHeldSuperblock(pool.core);
  expect(held).toMatchObject({ transactionId: 9, time: 0, heldRoot: 0 });
  // No space maps: its blocks are counted by the pool's.
  expect(held.dataSpaceMapRoot).toEqual({ nrBlocks: 0, nrAllocated: 0, bitmapRoot: 0, refCountRoot: 0 });
  expect(held.metadataSpaceMapRoot).toEqual({ nrBlocks: 0, nrAllocated: 0, bitmapRoot: 0, refCountRoot: 0 });
  const { core } = pool;
  const lookup = (vb: number) => core.mappings.lookup(held.dataMappingRoot, [1, vb]);
  expect([lookup(0), lookup(299), lookup(300)]).toEqual([
    { dataBlock: 0, time: 0 },
    { dataBlock: 299, time: 0 },
    undefined,
  ]);
  fixture.unmap(1, 0, 100);
  fixture.provision(1, 200, 10);
  pool.deleteThin(1);
  pool.createThin(2);
  fixture.check();
  pool.commit();
  fixture.check();
  expect([lookup(0), lookup(205), core.details.lookup(held.deviceDetailsRoot, 1)?.mappedBlocks]).toEqual([
    { dataBlock: 0, time: 0 },
    { dataBlock: 205, time: 0 },
    300,
  ]);
});

test('it is released with all that only it refers to', () => {
  const fixture = fixtureWithDevice();
  const { pool } = fixture;
  pool.reserveMetadataSnapshot();
  pool.deleteThin(1);
  pool.commit();
  expect(pool.nrFreeData).toBe(700);
  pool.releaseMetadataSnapshot();
  expect(pool.metadataSnapshot).toBe(0);
  fixture.check();
  pool.commit();
  fixture.check();
  expect(pool.nrFreeData).toBe(1000);
});

test('there is at most one', () => {
  const { pool } = fixtureWithDevice();
  expect(() => pool.releaseMetadataSnapshot()).toThrow(
    new StateError('Cannot release the metadata snapshot: there is none'),
  );
  pool.reserveMetadataSnapshot();
  const at = pool.metadataSnapshot;
  expect(() => pool.reserveMetadataSnapshot()).toThrow(
    new StateError(`Cannot reserve a metadata snapshot: there is one, at block ${at}`),
  );
  expect(pool.metadataSnapshot).toBe(at);
});

test('to reserve one commits first; it counts from the next commit on', () => {
  const fixture = fixtureWithDevice();
  fixture.pool.reserveMetadataSnapshot();
  expect(fixture.pool.changedThisTransaction).toBe(true);
  fixture.pool.rollback();
  expect([fixture.pool.metadataSnapshot, fixture.pool.hasThin(1)]).toEqual([0, true]);
  fixture.check();
  fixture.pool.reserveMetadataSnapshot();
  fixture.pool.commit();
  const at = fixture.pool.metadataSnapshot;
  fixture.crash();
  expect(fixture.pool.metadataSnapshot).toBe(at);
  fixture.pool.releaseMetadataSnapshot();
  fixture.pool.rollback();
  expect(fixture.pool.metadataSnapshot).toBe(at);
  fixture.check();
});

test('a held root that is no superblock is refused, and nothing is lost', () => {
  const fixture = fixtureWithDevice();
  fixture.pool.commit();
  fixture.pool.core.heldRoot = fixture.pool.core.mappingRoot;
  expect(() => fixture.pool.releaseMetadataSnapshot()).toThrow(CorruptionError);
  fixture.pool.core.heldRoot = 200;
  expect(() => fixture.pool.releaseMetadataSnapshot()).toThrow(CorruptionError);
  fixture.pool.rollback();
  fixture.check();
});
