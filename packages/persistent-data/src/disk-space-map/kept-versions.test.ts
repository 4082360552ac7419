import { expect, test } from 'vitest';
import { SpaceMapFixture } from '../../../../test/structures/space-map-fixture.ts';
import { NoSpaceError } from '../base/index.ts';
import type { FrozenMap } from './find-free.ts';
import { KeptVersions } from './kept-versions.ts';

const frozen = (nrBlocks: number): FrozenMap => ({ nrBlocks, nrAllocated: 0, index: { bitmapBlock: () => 0 } });

test('a version counts from when it is kept until it is released, once for each hold', () => {
  const kept = new KeptVersions();
  const [a, b] = [frozen(1), frozen(2)];
  expect([kept.size, kept.with(a)]).toEqual([0, [a]]);
  const first = kept.keep(b);
  const second = kept.keep(b);
  expect([kept.size, kept.with(a)]).toEqual([2, [a, b, b]]);
  kept.release(first);
  kept.release(first);
  expect([kept.size, kept.with(a), kept.with(b)]).toEqual([1, [a, b], [b]]);
  kept.release(second);
  expect(kept.with(a)).toEqual([a]);
});

test('blocks that a kept version uses are not handed out, in either map, over commits and a rollback', () => {
  const fixture = new SpaceMapFixture({ nrBlocks: 64, nrDataBlocks: 8 });
  for (let i = 0; i < 8; i++) fixture.dataMap.newBlock();
  const mine = [fixture.allocate(), fixture.allocate()];
  fixture.commit();
  const heldData = fixture.dataMap.keepCommitted();
  const held = fixture.spaceMap.keepCommitted();
  fixture.dataMap.decRange(2, 5);
  for (const b of mine) {
    fixture.spaceMap.decRange(b, b + 1);
    fixture.addOwned(b, -1);
  }
  fixture.commit();
  fixture.commit();
  fixture.rollback();
  expect(fixture.dataMap.nrFree).toBe(3);
  expect(() => fixture.dataMap.newBlock()).toThrow(NoSpaceError);
  fixture.rollback();
  const got = new Set<number>();
  for (let i = 0; i < 15; i++) got.add(fixture.allocate());
  expect(mine.some((b) => got.has(b))).toBe(false);
  fixture.check(false);
  fixture.rollback();
  fixture.kept.data.release(heldData);
  fixture.kept.metadata.release(held);
  expect([fixture.dataMap.newBlock(), fixture.dataMap.newBlock(), fixture.dataMap.newBlock()]).toEqual([2, 3, 4]);
  const again = new Set<number>();
  for (let i = 0; i < 40; i++) again.add(fixture.allocate());
  expect(mine.every((b) => again.has(b))).toBe(true);
});
