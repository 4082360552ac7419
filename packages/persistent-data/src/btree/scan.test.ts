import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { StateError } from '../base/index.ts';
import { Btree } from './btree.ts';
import { forEachEntry } from './scan.ts';

function counting(count: number, size: number) {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(size) });
  let root = tree.empty();
  for (let i = 0; i < count; i++) root = tree.insert(root, i, i % 250);
  return { space, tree, root };
}

test.each([1, 8, 12, 500])('`forEachEntry()` visits all entries of %i bytes, in order, in a pinned leaf', (size) => {
  const { space, tree, root } = counting(1000, size);
  const seen: unknown[] = [];
  const done = forEachEntry(tree, root, (slab, high, low, at) => {
    seen.push([high, low, tree.valueType.read(slab, at), space.blockManager.nrLocked]);
  });
  expect(done).toBe(true);
  expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => [0, i, i % 250, 1]));
  expect(space.blockManager.nrLocked).toBe(0);
});

test('`forEachEntry()` keeps to its bounds', () => {
  const { tree, root } = counting(1000, 8);
  for (const begin of [undefined, 0, 1, 126, 500, 999, 1000, 5000]) {
    for (const end of [undefined, 0, 1, 126, 500, 999, 1000, 5000]) {
      const keys: number[] = [];
      const bounds = { ...(begin === undefined ? {} : { begin }), ...(end === undefined ? {} : { end }) };
      expect(forEachEntry(tree, root, (_slab, _high, low) => keys.push(low), bounds)).toBe(true);
      const from = begin ?? 0;
      const length = Math.max(Math.min(end ?? 1000, 1000) - from, 0);
      expect(keys).toEqual(Array.from({ length }, (_, i) => from + i));
    }
  }
  expect(forEachEntry(tree, tree.empty(), () => expect.unreachable())).toBe(true);
});

test('`forEachEntry()` ends when a visit says so, or throws, and unlocks', () => {
  const { space, tree, root } = counting(1000, 8);
  let count = 0;
  expect(forEachEntry(tree, root, () => ++count < 300)).toBe(false);
  expect(count).toBe(300);
  expect(() =>
    forEachEntry(tree, root, () => {
      throw new Error('enough');
    }),
  ).toThrow('enough');
  expect(space.blockManager.nrLocked).toBe(0);
});

test('`forEachEntry()` refuses to go on after a change, unless the tree is frozen', () => {
  const { space, tree, root } = counting(1000, 8);
  const change = () => {
    space.tm.inc(root);
    space.tm.dec(root);
  };
  expect(() => forEachEntry(tree, root, change)).toThrow(StateError);
  expect(forEachEntry(tree, root, change, { frozen: true })).toBe(true);
});
