import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, WouldBlockError } from '../base/index.ts';
import { Btree } from './btree.ts';
import { PLAIN_U32, PLAIN_U64 } from './value-type.ts';

test('a tree gives back what was put in', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U64 });
  let root = tree.empty();
  expect([tree.lookup(root, 1), tree.has(root, 1), tree.firstKey(root), tree.lastKey(root)]).toEqual([
    undefined,
    false,
    undefined,
    undefined,
  ]);
  root = tree.insert(root, 5, 50);
  expect(tree.insertWasNew).toBe(true);
  const outcome = tree.insertNotify(root, 5, 51);
  expect([outcome.wasNew, tree.lookup(outcome.root, 5)]).toEqual([false, 51]);
  expect(tree.lookupNext(outcome.root, 3)).toEqual({ key: 5, value: 51 });
  expect(tree.lookupPrevious(outcome.root, 2n ** 64n - 1n)).toEqual({ key: 5, value: 51 });
});

test('a nested tree makes its sub-trees, and tells their roots', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U32, levels: 3 });
  let root = tree.empty();
  root = tree.insert(root, [1, 2, 3], 4);
  root = tree.insert(root, [1, 2, 9], 5);
  expect(tree.lookup(root, [1, 2, 3])).toBe(4);
  expect(tree.lookup(root, [1, 3, 3])).toBeUndefined();
  expect(tree.lookupNext(root, [1, 2, 4])).toEqual({ key: 9, value: 5 });
  expect(tree.lastKey(root, [1, 2])).toBe(9);
  expect(tree.firstKey(root, [7])).toBeUndefined();
  const sub = tree.subTree(root, [1, 2])!;
  expect(new Btree(space.tm, { valueType: PLAIN_U32 }).lookup(sub, 9)).toBe(5);
  expect(tree.subTree(root, [2])).toBeUndefined();
});

test('keys that do not fit the tree are the caller’s mistake, and change nothing', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U64, levels: 2 });
  const root = tree.empty();
  for (const keys of [1, [1], [1, 2, 3], []]) expect(() => tree.lookup(root, keys)).toThrow(TypeError);
  for (const key of [-1, 0.5, 2 ** 53, 2n ** 64n, -1n]) expect(() => tree.lookup(root, [key, 1])).toThrow(RangeError);
  expect(() => tree.firstKey(root, [1, 2])).toThrow(TypeError);
  expect(() => tree.removeLeaves(root, 1, 2)).toThrow(TypeError);
  expect(space.tm.broken).toBeUndefined();
  for (const levels of [0, 9, 1.5])
    expect(() => new Btree(space.tm, { valueType: PLAIN_U64, levels })).toThrow(RangeError);
  for (const size of [0, 1347]) expect(() => new Btree(space.tm, { valueType: patternType(size) })).toThrow(RangeError);
});

test('a tree of another value size is refused', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U64 });
  const root = tree.insert(tree.empty(), 1, 2);
  const other = new Btree(space.tm, { valueType: PLAIN_U32 });
  expect(() => other.lookup(root, 1)).toThrow(CorruptionError);
  expect(() => other.insert(root, 1, 1)).toThrow(CorruptionError);
});

test('a non-blocking reader answers from memory or says that it can not', () => {
  const space = new ScratchSpace();
  const valueType = PLAIN_U64;
  let tree = new Btree(space.tm, { valueType });
  let root = tree.empty();
  for (let i = 0; i < 1000; i++) root = tree.insert(root, i, i);
  space.commit();
  space.reopen();
  tree = new Btree(space.tm, { valueType });
  const clone = space.tm.nonBlockingClone();
  for (let tries = 0; tries < 2; tries++) {
    expect(() => tree.lookup(root, 500, clone)).toThrow(WouldBlockError);
    space.tm.issuePrefetches();
  }
  expect(tree.lookup(root, 500, clone)).toBe(500);
});

test('a million look-ups allocate nothing to speak of', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: PLAIN_U64 });
  let root = tree.empty();
  for (let i = 0; i < 50_000; i++) root = tree.insert(root, i, i);
  let sum = 0;
  const look = (count: number) => {
    for (let i = 0; i < count; i++) sum += tree.find(root, (i * 7919) % 50_000) > 0 ? 1 : 0;
  };
  look(100_000);
  const before = process.memoryUsage().heapUsed;
  look(1_000_000);
  expect(sum).toBe(1_100_000);
  // A few bytes a look-up, which the test's own frame takes: the smallest object would take 16.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(8_000_000);
});
