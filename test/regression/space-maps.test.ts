/** Bugs that the kernel's space maps had, each with its story: what happened, why, what prevents it now. Numbers: ALGORITHMS §12. */

import { CorruptionError, NoSpaceError, StateError } from 'persistent-data/base';
import { ENTRIES_PER_BITMAP } from 'persistent-data/format';
import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { SpaceMapFixture } from '../structures/space-map-fixture.ts';
import { ThinFixture } from '../structures/thin-fixture.ts';

test('R3: a count of 0 is not decremented', () => {
  // What happened: a block was given up once too often, and its count wrapped round to a huge one.
  // Why: a decrement looked at the two bits and not at what they said before.
  // Now: it is a CorruptionError, nothing below 0 is ever stored, and the transaction can only be rolled back.
  const fixture = new SpaceMapFixture({ nrDataBlocks: 100 });
  for (const which of ['dataMap', 'spaceMap'] as const) {
    const map = fixture[which];
    map.incRange(50, 52);
    expect(() => map.decRange(50, 53)).toThrow('Cannot decrement the count of block 52: it is 0');
    expect(fixture.tm.broken).toBeInstanceOf(CorruptionError);
    expect(() => fixture.tm.inc(60)).toThrow(StateError);
    fixture.rollback();
    fixture.check(true);
  }
});

test('R5: a full metadata device grows by several bitmaps at once', () => {
  // What happened: growth failed, or lost blocks, when it needed more than one new bitmap or the old space had no free block left.
  // Why: the bitmaps that were to describe the new space were looked for in the old one.
  // Now: while it grows, a map takes all it needs from the new space, whatever the old one looks like.
  const fixture = new SpaceMapFixture({
    nrBlocks: 100,
    device: new MemoryDevice({ nrBlocks: 5 * ENTRIES_PER_BITMAP }),
  });
  while (fixture.spaceMap.nrFree > 3) fixture.allocate();
  fixture.commit();
  while (fixture.spaceMap.nrFree > 0) fixture.allocate();
  expect(() => fixture.spaceMap.newBlock()).toThrow(NoSpaceError);
  fixture.rollback();
  fixture.spaceMap.extend(4 * ENTRIES_PER_BITMAP);
  fixture.check(false);
  fixture.commit();
  fixture.check(true);
  expect(Array.from({ length: 100 }, () => fixture.allocate()).every((b) => b >= 100)).toBe(true);
});

test('R7: growth leaks no block', () => {
  // What happened: each growth of the metadata lost some blocks for ever.
  // Why: decrements that were queued while the map grew were thrown away at the end.
  // Now: the queue is applied until no more comes up, before the map goes on as usual; here each block is accounted for.
  const fixture = new SpaceMapFixture({ nrBlocks: 64, device: new MemoryDevice({ nrBlocks: 200_000 }) });
  for (const extra of [100, 40_000, 20, 16_320, 50_000]) {
    fixture.allocate();
    fixture.spaceMap.extend(extra);
    fixture.check(false);
    fixture.commit();
    fixture.check(true);
  }
});

/** A metadata map whose tree of large counts has two leaves, with just as many entries together as they need not to be merged. */
function twoLeavesOfCounts(): { fixture: SpaceMapFixture; blocks: number[] } {
  const fixture = new SpaceMapFixture({ nrBlocks: 2048 });
  const blocks = Array.from({ length: 500 }, () => fixture.allocate());
  for (let i = 0; i < 2; i++) for (const b of blocks) change(fixture, b, 1);
  // 225 entries are left: the next removal finds fewer than 2 * (112 + 1).
  for (const b of blocks.splice(225)) change(fixture, b, -1);
  fixture.commit();
  return { fixture, blocks };
}

function change(fixture: SpaceMapFixture, b: number, delta: 1 | -1): void {
  if (delta > 0) fixture.spaceMap.incRange(b, b + 1);
  else fixture.spaceMap.decRange(b, b + 1);
  fixture.addOwned(b, delta);
}

test('R8: changes that wait are applied in the order in which they came', () => {
  // What happened: the count of a block fell below 0 in the midst of a change of another count.
  // Why: a leaf of the map's own tree was copied and then merged away, and the copy's decrement was applied before its increment.
  // Now: the queue is first in, first out.
  const { fixture, blocks } = twoLeavesOfCounts();
  const shadows: number[] = [];
  fixture.tm.trace = (event) => {
    if (event.event === 'shadow') shadows.push(event.to);
  };
  change(fixture, blocks[100]!, -1);
  // The case has come up: something was copied, and is free again.
  expect(shadows.some((b) => fixture.spaceMap.getCount(b) === 0)).toBe(true);
  fixture.check(false);
  fixture.commit();
  fixture.check(true);
});

test('R10: a change that waits counts until it has been applied', () => {
  // What happened: a block that was in use was taken for free while its increment was being applied.
  // Why: the change was taken out of the queue first, and applying it came to ask for counts itself.
  // Now: it stays in the queue until it is done.
  const border = ENTRIES_PER_BITMAP;
  const fixture = new SpaceMapFixture({ nrBlocks: 2 * ENTRIES_PER_BITMAP });
  const { spaceMap, tm } = fixture;
  while (fixture.allocate() < border - 2);
  // The index block's copy gets the last block of the first bitmap.
  fixture.commit();
  const handedOut: number[] = [];
  tm.trace = (event) => {
    if (event.event !== 'shadow') return;
    handedOut.push(event.to);
    for (const b of handedOut) expect(spaceMap.getCount(b), `block ${b}`).toBe(1);
  };
  // The first bitmap's copy gets the first block of the second one, which to count means to copy that one as well.
  change(fixture, 100, 1);
  expect(handedOut).toEqual([border, border + 1]);
  fixture.check(false);
  fixture.commit();
  fixture.check(true);
});

test('R18: blocks freed in a transaction are credited in the number of free data blocks', () => {
  // What happened: a pool said that it was full, or had more than it had, after a transaction that freed and allocated.
  // Why: the number was kept apart for allocations and did not see what was freed.
  // Now: it is the net of all changes of counts between zero and not zero.
  const fixture = new SpaceMapFixture({ nrDataBlocks: 100 });
  for (let i = 0; i < 50; i++) fixture.dataMap.newBlock();
  fixture.commit();
  fixture.dataMap.decRange(0, 20);
  for (let i = 0; i < 5; i++) fixture.dataMap.newBlock();
  fixture.dataMap.incRange(30, 40);
  expect(fixture.dataMap.nrFree).toBe(65);
  fixture.commit();
  expect([fixture.dataMap.nrFree, fixture.dataMap.root.nrAllocated]).toEqual([65, 35]);
  fixture.check(true);
});

test.each([1, 2])('R19: the last block of %i whole bitmaps is found', (k) => {
  // What happened: a space whose size is a multiple of 16320 could never be filled.
  // Why: the end of the search in the last bitmap was taken modulo 16320, which is 0.
  // Now: the end is the lesser of the bitmap's size and what is left.
  const size = k * ENTRIES_PER_BITMAP;
  const fixture = new SpaceMapFixture({ nrBlocks: size, nrDataBlocks: size });
  fixture.dataMap.incRange(0, size - 1);
  expect(fixture.dataMap.newBlock()).toBe(size - 1);
  expect(() => fixture.dataMap.newBlock()).toThrow(NoSpaceError);
  while (fixture.allocate() < size - 1);
  expect(fixture.owned.has(size - 1)).toBe(true);
  fixture.check(false);
});

test('R24: the threshold callback outlives a rollback, and belongs to the map of now', () => {
  // What happened: after an aborted transaction the callback was called for a space map that was gone, or no more at all.
  // Why: it was registered with the map, and an abort makes a new one.
  // Now: the pool keeps it and registers it with each new map; it fires once each time the free blocks fall below.
  const fixture = new ThinFixture({ nrMetadataBlocks: 200 });
  let fired = 0;
  fixture.pool.registerMetadataThreshold(150, () => fired++);
  for (let round = 1; round <= 3; round++) {
    for (let id = 0; id < 50; id++) fixture.pool.createThin(id);
    expect(fired).toBe(round);
    fixture.pool.rollback();
  }
});

test('R27: space that only a commit gives back is had by a commit', () => {
  // What happened: a pool with free data blocks failed to provision.
  // Why: blocks freed in the running transaction are counted as free, but cannot be handed out before it is committed.
  // Now: the refusal says how many a commit will bring, changes nothing, and after the commit there they are.
  const fixture = new ThinFixture({ nrDataBlocks: 20 });
  const { pool } = fixture;
  pool.createThin(1);
  fixture.provision(1, 0, 20);
  pool.commit();
  fixture.unmap(1, 5, 10);
  expect(pool.nrFreeData).toBe(5);
  expect(() => pool.allocateDataBlock()).toThrow('none of 20 is free, 5 will be after a commit');
  fixture.check(false);
  pool.commit();
  expect(fixture.provision(1, 30, 5)).toEqual([5, 6, 7, 8, 9]);
  fixture.check();
});
