import { describe, expect, test } from 'vitest';
import { countedType, patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { StateError } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { BtreeBuilder, PLAIN_U64, type Root, readU64 } from '../btree/index.ts';
import { ARRAY_VALIDATOR, ArrayBlockView, arrayEntriesFor, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import { TransactionManager } from '../transaction-manager/index.ts';
import { PersistentArray } from './array.ts';

/** The counts of blocks and elements that these arrays justify, by a walk of its own. */
function expectCounts(
  space: ScratchSpace,
  array: PersistentArray<number>,
  roots: Root[],
  elements?: Map<number, number>,
): void {
  const counts = new Map<number, number>([[0, 1]]);
  const values = new Map<number, number>();
  const { blockManager } = space;
  const enter = (b: number): boolean => {
    counts.set(b, (counts.get(b) ?? 0) + 1);
    return counts.get(b) === 1;
  };
  const visitBlock = (b: number): void => {
    if (!enter(b)) return;
    const view = new ArrayBlockView(blockManager.slab, blockManager.read(b, ARRAY_VALIDATOR));
    for (let i = 0; i < view.nrEntries; i++) {
      const value = array.valueType.read(view.slab, view.valueAt(i));
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  };
  const visitNode = (b: number): void => {
    if (!enter(b)) return;
    const node = new NodeView(blockManager.slab, blockManager.read(b, NODE_VALIDATOR));
    const { isLeaf } = node;
    const children = Array.from({ length: node.nrEntries }, (_, i) => readU64(node.slab, node.valueAt(i)));
    for (const child of children) isLeaf ? visitBlock(child) : visitNode(child);
  };
  for (const root of roots) visitNode(root);
  expect(counts).toEqual(space.counts());
  if (elements) expect(values).toEqual(elements);
  expect(blockManager.nrLocked).toBe(0);
}

function contentOf(array: PersistentArray<number>, root: Root, length?: number): number[] {
  const found: number[] = [];
  array.walk(
    root,
    (index, value) => {
      if (index !== found.length) throw new Error(`index ${index} comes after ${found.length} elements`);
      found.push(value);
    },
    length,
  );
  return found;
}

describe.each([1, 4, 8, 12, 100, 4072])('elements of %i bytes', (size) => {
  const max = arrayEntriesFor(size);
  const most = Math.min(max, 600);
  const lengths = [0, 1, max - 1, max, max + 1, 3 * max, 3 * max + Math.min(5, max - 1)].filter(
    (n) => n <= 3 * most + 10,
  );

  test.each(lengths)('`create()` and `resize()` give an array of %i', (length) => {
    const space = new ScratchSpace();
    const array = new PersistentArray(space.tm, patternType(size));
    const root = array.create(length, (i) => i % 250);
    expect(contentOf(array, root)).toEqual(Array.from({ length }, (_, i) => i % 250));
    expectCounts(space, array, [root]);
    for (const other of lengths) {
      space.tm.inc(root);
      const resized = array.resize(root, length, other, 77);
      const wanted = Array.from({ length: other }, (_, i) => (i < length ? i % 250 : 77));
      expect(contentOf(array, resized, other)).toEqual(wanted);
      expect(contentOf(array, root)).toHaveLength(length);
      if (resized === root) space.tm.dec(root);
      else {
        expectCounts(space, array, [root, resized]);
        array.delete(resized);
      }
      expectCounts(space, array, [root]);
    }
    array.delete(root);
    expect(space.counts()).toEqual(new Map([[0, 1]]));
  });
});

test('`get()`, `set()` and `find()`', () => {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  let root = array.create(1200, (i) => i);
  for (const index of [0, 508, 509, 1017, 1018, 1199]) {
    root = array.set(root, index, 5000 + index);
    expect(array.get(root, index)).toBe(5000 + index);
  }
  expect(contentOf(array, root).filter((value) => value >= 5000)).toHaveLength(6);
  expect(array.get(root, 1200)).toBeUndefined();
  expect(array.get(root, 10 ** 9)).toBeUndefined();
  expect(() => array.set(root, 1200, 1)).toThrow(
    new StateError("Cannot set element 1200: it is beyond the array's end"),
  );
  expect(() => array.changeBlock(root, 3, () => expect.unreachable())).toThrow(StateError);
  expect(space.tm.broken).toBeUndefined();
  for (const index of [-1, 0.5, Number.NaN]) expect(() => array.get(root, index)).toThrow(RangeError);
  expect(() => new PersistentArray(space.tm, patternType(4073))).toThrow('1 to 4072 are supported');
});

test('the second change of a block in a transaction is in place', () => {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  const root = array.create(1200, (i) => i);
  space.commit();
  const changed = array.set(root, 5, 1);
  const { size } = space.counts();
  expect(changed).not.toBe(root);
  expect(array.set(changed, 6, 2)).toBe(changed);
  expect(space.counts().size).toBe(size);
});

test('R4: a block that two arrays share keeps its counts, and theirs, when one array changes', () => {
  // A change of a cloned array led the tree to the copy by an overwrite, which gave the old block up a second time, and growth of a
  // partly full last block lost what was in it. Now the old block is counted once in between, and growth begins at what is there.
  for (const counted of [false, true]) {
    const space = new ScratchSpace();
    const elements = new Map<number, number>();
    const valueType = counted ? countedType(8, elements) : patternType(8);
    const array = new PersistentArray(space.tm, valueType);
    const fresh = (value: number) => {
      if (counted) elements.set(value, (elements.get(value) ?? 0) + 1);
      return value;
    };
    const root = array.create(1300, (i) => fresh(i));
    const check = (...roots: Root[]) => expectCounts(space, array, roots, counted ? elements : undefined);
    space.tm.inc(root);
    const set = array.set(root, 600, fresh(9000));
    check(root, set);
    space.tm.inc(set);
    elements.set(7, (elements.get(7) ?? 0) + 1);
    const grown = array.resize(set, 1300, 3000, 7);
    elements.set(7, elements.get(7)! - 1);
    check(root, set, grown);
    expect(contentOf(array, grown).slice(1017, 1302)).toEqual([
      ...Array.from({ length: 283 }, (_, i) => 1017 + i),
      7,
      7,
    ]);
    space.tm.inc(grown);
    const shrunk = array.resize(grown, 3000, 700, 0);
    check(root, set, grown, shrunk);
    const again = array.set(shrunk, 600, fresh(9001));
    check(root, set, grown, again);
    for (const [i, version] of [set, again, root, grown].entries()) {
      array.delete(version);
      check(...[set, again, root, grown].slice(i + 1));
    }
    expect(space.counts()).toEqual(new Map([[0, 1]]));
    if (counted) expect(elements.size).toBe(0);
  }
});

test('R6: an array whose tree has three levels is walked with two locks at a time', () => {
  // The kernel's walk recursed from tree into array blocks and held a lock for each level, more than it was allowed.
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(4072));
  // One array block everywhere, or it would take 260 MB.
  const block = array.tree.lookup(
    array.create(1, () => 3),
    0,
  )!;
  const nrBlocks = 252 * 252 + 1;
  const builder = new BtreeBuilder(space.tm, PLAIN_U64);
  for (let i = 0; i < nrBlocks; i++) builder.add(0, i, block);
  const root = builder.finish();
  expect(space.node(space.node(root).childAt(0)).isLeaf).toBe(false);
  let most = 0;
  let sum = 0;
  array.walk(root, (_index, value) => {
    most = Math.max(most, space.blockManager.nrLocked);
    sum += value;
  });
  expect([most, sum]).toEqual([2, 3 * nrBlocks]);
  expect(space.blockManager.nrLocked).toBe(0);
});

test('a walk ends when a visit says so', () => {
  const space = new ScratchSpace();
  const array = new PersistentArray(space.tm, patternType(8));
  const root = array.create(1200, (i) => i);
  let count = 0;
  expect(array.walk(root, () => ++count < 600)).toBe(false);
  expect([count, space.blockManager.nrLocked]).toEqual([600, 0]);
});

test('an array is as it was after it was written and read again', () => {
  const space = new ScratchSpace();
  const valueType = patternType(12);
  const root = new PersistentArray(space.tm, valueType).create(2000, (i) => i);
  space.commit();
  const blockManager = new BlockManager(space.device, { cacheBlocks: 32 });
  const array = new PersistentArray(new TransactionManager(blockManager, space.spaceMap), valueType);
  expect(contentOf(array, root)).toEqual(Array.from({ length: 2000 }, (_, i) => i));
  expect(() => new PersistentArray(array.tm, patternType(8)).get(root, 0)).toThrow(
    'it has room for 339 values of 12 bytes, 509 values of 8 bytes are wanted',
  );
});
