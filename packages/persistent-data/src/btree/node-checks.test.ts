import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { NodeView } from '../format/index.ts';
import { ALL_KEYS, isWithin, keyRange, nodeProblems } from './node-checks.ts';

function leafOf(keys: readonly bigint[], valueSize = 8): NodeView {
  const node = new NodeView(Slab.ofSize(4096));
  node.setHeader(2, keys.length, valueSize);
  for (const [i, key] of keys.entries()) node.setKey(i, Number(key >> 32n), Number(key & 0xffff_ffffn));
  return node;
}

test.each([
  [[1n, 2n, 3n], []],
  [[0xffff_ffffn, 0x1_0000_0000n, 0xffff_ffff_ffff_ffffn], []],
  [[1n, 2n, 2n], ['has key 0x2 at index 2 after 0x2, rising keys are wanted']],
  [[1n, 0x2_0000_0000n, 0x1_ffff_ffffn], ['has key 0x1ffffffff at index 2 after 0x200000000, rising keys are wanted']],
])('keys %o: %o', (keys, texts) => {
  expect(nodeProblems(leafOf(keys), { valueSize: 8, isRoot: true }).map(({ text }) => text)).toEqual(texts);
});

test('a node is under-full below a third, unless it is the root', () => {
  const keys = Array.from({ length: 83 }, (_, i) => BigInt(i));
  expect(nodeProblems(leafOf(keys), { valueSize: 8, isRoot: true })).toEqual([]);
  expect(nodeProblems(leafOf(keys), { valueSize: 8, isRoot: false })).toEqual([
    { severity: 'warning', code: 'btree.underfull', text: 'has 83 entries, at least 84 are wanted', unusable: false },
  ]);
  expect(nodeProblems(leafOf([...keys, 100n]), { valueSize: 8, isRoot: false })).toEqual([]);
});

test('another value size makes a node unusable', () => {
  expect(nodeProblems(leafOf([1n], 4), { valueSize: 8, isRoot: true })).toMatchObject([
    { code: 'btree.value-size', unusable: true },
  ]);
});

test('bounds are half-open, and an open end is 2^64', () => {
  const bounds = { beginHigh: 0, beginLow: 5, endHigh: 1, endLow: 0 };
  const span = { firstHigh: 0, firstLow: 5, lastHigh: 0, lastLow: 0xffff_ffff };
  expect(isWithin(bounds, span)).toBe(true);
  expect(isWithin(bounds, { ...span, firstLow: 4 })).toBe(false);
  expect(isWithin(bounds, { ...span, lastHigh: 1, lastLow: 0 })).toBe(false);
  expect(keyRange(bounds)).toEqual({ begin: 5n, end: 1n << 32n });
  expect(keyRange(ALL_KEYS)).toEqual({ begin: 0n, end: 1n << 64n });
});
