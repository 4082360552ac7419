import { expect, test } from 'vitest';
import { ThinFixture } from '../../../../test/structures/thin-fixture.ts';
import { CorruptionError, NoSpaceError, StateError } from '../base/index.ts';
import { checkDeviceId, listedId, MAX_DEVICE_ID, nextTime, noKeptVersions } from './pool-core.ts';
import { readThinSuperblock } from './superblock.ts';

test('a device id is of 24 bits', () => {
  for (const id of [0, 1, MAX_DEVICE_ID]) checkDeviceId(id);
  expect(() => checkDeviceId(MAX_DEVICE_ID + 1)).toThrow(RangeError);
  expect(listedId(MAX_DEVICE_ID)).toBe(MAX_DEVICE_ID);
  expect(() => listedId(2n ** 60n)).toThrow(CorruptionError);
});

test('the clock goes on by one, up to its last value', () => {
  expect([nextTime(0), nextTime(0xff_fffe)]).toEqual([1, 0xff_ffff]);
  expect(() => nextTime(0xff_ffff)).toThrow(StateError);
  expect(() => nextTime(0xffff_ffff)).toThrow(StateError);
});

test('no versions are kept of a fresh pool', () => {
  const { metadata, data } = noKeptVersions();
  expect([metadata.size, data.size]).toEqual([0, 0]);
});

test('the reserve of metadata is kept for commits and deletions: new work is refused early, and nothing is broken (R14, R27)', () => {
  const fixture = new ThinFixture({ nrMetadataBlocks: 200, nrDataBlocks: 100_000 });
  const { pool } = fixture;
  pool.createThin(1);
  let refusal: unknown;
  try {
    for (let i = 0; ; i++) fixture.provision(1, 997 * i);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(NoSpaceError);
  expect(String(refusal)).toMatch(
    /Cannot map virtual block \d+ of thin device 1: \d+ metadata blocks are free, more than the reserve of 20 are wanted; a commit may free some$/,
  );
  expect([pool.nrFreeMetadata, pool.core.tm.broken]).toEqual([0, undefined]);
  for (const work of [
    () => pool.createThin(2),
    () => pool.createSnapshot({ snapshot: 2, origin: 1 }),
    () => pool.reserveMetadataSnapshot(),
  ]) {
    expect(work).toThrow(NoSpaceError);
  }
  fixture.check();
  pool.commit();
  fixture.check();
  pool.deleteThin(1);
  fixture.check();
  pool.commit();
  fixture.check();
  pool.createThin(2);
  expect(pool.nrFreeData).toBe(100_000);
});

test('the superblock of a commit keeps what a commit does not change', () => {
  const fixture = new ThinFixture();
  fixture.pool.createThin(1);
  fixture.pool.commit();
  const image = readThinSuperblock(fixture.pool.core.superblockImage(), 0);
  expect(image).toMatchObject({ version: 2, dataBlockSize: 128, metadataBlockSize: 8, metadataNrBlocks: 256 });
  fixture.pool.resizeMetadata(300);
  fixture.pool.commit();
  // Growth does not change the number at format, as with the kernel.
  expect(readThinSuperblock(fixture.pool.core.superblockImage(), 0).metadataNrBlocks).toBe(256);
});

test('roots that the device does not have are refused at opening', () => {
  const fixture = new ThinFixture();
  for (const field of ['mappingRoot', 'detailsRoot', 'heldRoot'] as const) {
    const before = fixture.pool.core[field];
    fixture.pool.core[field] = 2 ** 40;
    fixture.pool.setNeedsCheck(false);
    fixture.pool.commit();
    expect(() => fixture.crash()).toThrow(CorruptionError);
    fixture.pool.core[field] = before;
  }
});
