import { describe, expect, test } from 'vitest';
import {
  countedType,
  expectShape,
  patternType,
  referenceCounts,
  ScratchSpace,
} from '../../../../test/structures/scratch-space.ts';
import { NoSpaceError } from '../base/index.ts';
import { maxEntriesFor } from '../format/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { forEachEntry } from './scan.ts';

/** Entries of all nodes, level by level, root first. */
function fills(space: ScratchSpace, root: number): number[][] {
  const levels: number[][] = [];
  for (let blocks = [root]; blocks.length > 0; ) {
    const below: number[] = [];
    const level: number[] = [];
    for (const b of blocks) {
      const node = space.node(b);
      level.push(node.nrEntries);
      if (!node.isLeaf) for (let i = 0; i < node.nrEntries; i++) below.push(node.childAt(i));
    }
    levels.push(level);
    blocks = below;
  }
  return levels;
}

function build(space: ScratchSpace, count: number, size: number) {
  const valueType = patternType(size);
  const builder = new BtreeBuilder(space.tm, valueType);
  for (let i = 0; i < count; i++) builder.add(i >>> 12, i & 0xfff, i % 250);
  const root = builder.finish();
  expect(builder.nrEntries).toBe(count);
  return { root, tree: new Btree(space.tm, { valueType }) };
}

describe.each([1, 4, 8, 12, 24, 100, 500, 1346])('`BtreeBuilder` with values of %i bytes', (size) => {
  const max = maxEntriesFor(size);

  test.each([0, 1, max - 1, max, max + 1, 2 * max, 2 * max + 1, 3 * max, 10 * max + 5])(
    'builds a tree of %i',
    (count) => {
      const space = new ScratchSpace();
      const { root, tree } = build(space, count, size);
      const leaves = fills(space, root).at(-1)!;
      const rest = count === 0 ? 0 : ((count - 1) % max) + 1 + (count > max ? max : 0);
      const wanted = Array.from({ length: (count - rest) / max }, () => max);
      if (rest > max) wanted.push(Math.floor(rest / 2), Math.ceil(rest / 2));
      else wanted.push(rest);
      expect(leaves).toEqual(wanted);
      expect(expectShape(space, root)).toHaveLength(count);
      let next = 0;
      forEachEntry(tree, root, (slab, high, low, at) => {
        if (high * 4096 + low !== next || tree.valueType.read(slab, at) !== next % 250)
          throw new Error(`entry ${next}`);
        next++;
      });
      expect(next).toBe(count);
      expect(referenceCounts(space, [{ root }])).toEqual(space.counts());
      expect(space.blockManager.nrLocked).toBe(0);
    },
  );
});

test('a tree of three levels has full nodes, but for the last two of a level', () => {
  const space = new ScratchSpace();
  const { root } = build(space, 252 * 252 + 1, 8);
  const [top, middle, leaves] = fills(space, root);
  expect(top).toEqual([2]);
  expect(middle).toEqual([126, 127]);
  expect(leaves).toEqual([...Array.from({ length: 251 }, () => 252), 126, 127]);
  expect(expectShape(space, root)).toHaveLength(252 * 252 + 1);
});

test('a built tree can be changed like any other', () => {
  const space = new ScratchSpace();
  const { tree, root } = build(space, 3000, 8);
  let changed = root;
  for (let i = 0; i < 3000; i += 2) changed = tree.remove(tree.insert(changed, 2 ** 32 + i, i), i >= 4096 ? 0 : i);
  expectShape(space, changed);
});

test('keys that do not rise are refused, and the builder goes on', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  builder.add(1, 5, 1);
  expect(() => builder.add(1, 5, 2)).toThrow(
    new RangeError('Cannot build a tree: key 4294967301 follows 4294967301, rising keys are wanted'),
  );
  expect(() => builder.add(0, 6, 2)).toThrow(RangeError);
  builder.add(1, 6, 3);
  expect(expectShape(space, builder.finish())).toEqual([2 ** 32 + 5, 2 ** 32 + 6]);
});

test('values pass their references to the tree', () => {
  const space = new ScratchSpace();
  const counts = new Map<number, number>();
  const valueType = countedType(8, counts);
  const builder = new BtreeBuilder(space.tm, valueType);
  for (let i = 0; i < 600; i++) {
    counts.set(i, 1);
    builder.add(0, i, i);
  }
  const root = builder.finish();
  expect(counts.size).toBe(600);
  new Btree(space.tm, { valueType }).delete(root);
  expect(counts.size).toBe(0);
  expect(space.counts()).toEqual(new Map([[0, 1]]));
});

test('running out of space breaks the transaction and leaves nothing locked', () => {
  const space = new ScratchSpace({ nrBlocks: 4 });
  expect(() => build(space, 10_000, 8)).toThrow(NoSpaceError);
  expect(space.tm.broken).toBeInstanceOf(NoSpaceError);
  expect(space.blockManager.nrLocked).toBe(0);
});
