import { expect, test } from 'vitest';
import { ThinFixture } from '../../../../test/structures/thin-fixture.ts';
import { StateError } from '../base/index.ts';

test('a handle shows the device, and several handles show one', () => {
  const { pool } = new ThinFixture();
  pool.setTransactionId({ expected: 0, next: 9 });
  pool.createThin(3);
  const [a, b] = [pool.openThin(3), pool.openThin(3)];
  a.insert(5, pool.allocateDataBlock());
  expect([b.id, b.mappedBlocks, b.transactionId, b.creationTime, b.snapshottedTime]).toEqual([3, 1, 9, 0, 0]);
  expect([b.find(5), b.highestMapped]).toEqual([{ dataBlock: 0, shared: false }, 5]);
  pool.createSnapshot({ snapshot: 4, origin: 3 });
  expect([a.snapshottedTime, a.creationTime, pool.openThin(4).creationTime, pool.openThin(4).mappedBlocks]).toEqual([
    1, 0, 1, 1,
  ]);
});

test('a closed handle is of no more use; the others are', () => {
  const { pool } = new ThinFixture();
  pool.createThin(3);
  const [a, b] = [pool.openThin(3), pool.openThin(3)];
  a.close();
  a.close();
  const text = 'Cannot use thin device 3: this handle is closed';
  for (const use of [
    () => a.find(0),
    () => a.findMappedRange(0, 1),
    () => a.highestMapped,
    () => a.insert(0, 0),
    () => a.insertRange(0, 0, 1),
    () => a.removeRange(0, 1),
  ]) {
    expect(use).toThrow(new StateError(text));
  }
  // Closing twice has not counted twice.
  expect(() => pool.deleteThin(3)).toThrow('Cannot delete thin device 3: it is open');
  b[Symbol.dispose]();
  pool.deleteThin(3);
});

test('a device that was made since the last commit is gone after a rollback, and its handle says so', () => {
  const { pool } = new ThinFixture();
  pool.createThin(3);
  const device = pool.openThin(3);
  pool.rollback();
  expect(() => device.find(0)).toThrow(new StateError('Cannot use thin device 3: it was deleted or rolled back'));
  device.close();
  expect(pool.hasThin(3)).toBe(false);
});

test('nothing works after the pool is closed', () => {
  const { pool } = new ThinFixture();
  pool.createThin(3);
  const device = pool.openThin(3);
  pool.close();
  expect(() => device.find(0)).toThrow('Cannot look up a block: the pool is closed');
  expect(() => device.insert(0, 0)).toThrow('Cannot map a block: the pool is closed');
  device.close();
});

test('what a flush and a writer have to know: changed in this transaction, and rolled back', () => {
  const fixture = new ThinFixture();
  const { pool } = fixture;
  pool.createThin(3);
  pool.createThin(4);
  const [device, other] = [pool.openThin(3), pool.openThin(4)];
  const flags = () => [device.changedThisTransaction, device.abortedWithChanges, other.changedThisTransaction];
  expect(flags()).toEqual([false, false, false]);
  device.insert(0, pool.allocateDataBlock());
  expect(flags()).toEqual([true, false, false]);
  pool.commit();
  expect(flags()).toEqual([false, false, false]);
  device.removeRange(5, 6);
  expect(flags()).toEqual([true, false, false]);
  pool.rollback();
  expect([...flags(), other.abortedWithChanges]).toEqual([false, true, false, false]);
});
