import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, StateError } from '../base/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { type DiffOptions, diffTrees, TreeDiff } from './diff.ts';
import { insertMany } from './insert-many.ts';
import { removeRange } from './remove-range.ts';

function randomFrom(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

type Model = Map<number, number>;

function modelDiff(left: Model, right: Model) {
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort((a, b) => a - b);
  return keys
    .filter((key) => left.get(key) !== right.get(key))
    .map((key) => ({ keys: [key], left: left.get(key), right: right.get(key) }));
}

function build(space: ScratchSpace, count: number, size = 8, stride = 1) {
  const valueType = patternType(size);
  const builder = new BtreeBuilder(space.tm, valueType);
  const model: Model = new Map();
  for (let i = 0; i < count; i++) {
    builder.add(0, i * stride, i % 200);
    model.set(i * stride, i % 200);
  }
  return { tree: new Btree(space.tm, { valueType }), root: builder.finish(), model };
}

describe.each([1, 8, 100, 1346])('values of %i bytes', (size) => {
  test.each([1, 2, 3, 4, 5])('any changes to a snapshot (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const space = new ScratchSpace({ nrBlocks: 16384 });
    const { tree, root: first, model: firstModel } = build(space, [0, 20, 700, 5000][random(4)]!, size, 1 + random(3));
    let root = first;
    let model = new Map(firstModel);
    for (let step = 0; step < 8; step++) {
      space.tm.inc(root);
      const before = { root, model: new Map(model) };
      const begin = random(6000);
      const kind = random(4);
      if (kind === 0) {
        const end = begin + random(2000);
        root = removeRange(tree, root, { begin, end }).root;
        model = new Map([...model].filter(([key]) => key < begin || key >= end));
      } else if (kind === 1) {
        const batch = Array.from({ length: random(1000) }, (_, i): [number, number] => [begin + i, random(200)]);
        root = insertMany(tree, root, batch).root;
        for (const [key, value] of batch) model.set(key, value);
      } else {
        for (let i = 0; i < 20; i++) {
          const key = random(9000);
          if (kind === 2 || !model.has(key)) {
            root = tree.insert(root, key, key % 250);
            model.set(key, key % 250);
          } else {
            root = tree.remove(root, key);
            model.delete(key);
          }
        }
      }
      for (const [old, oldModel] of [
        [before.root, before.model],
        [first, firstModel],
      ] as const) {
        if (step > 0 && old === first && before.root === first) continue;
        expect([...diffTrees(tree, old, root)]).toEqual(modelDiff(oldModel, model));
        expect([...diffTrees(tree, root, old)]).toEqual(modelDiff(model, oldModel));
      }
    }
    expect([...diffTrees(tree, undefined, root)]).toEqual(modelDiff(new Map(), model));
    expect([...diffTrees(tree, root, undefined)]).toEqual(modelDiff(model, new Map()));
    expect([...diffTrees(tree, root, root)]).toEqual([]);
    for (let i = 0; i < 20; i++) {
      const begin = random(9500);
      const end = begin + random([10, 1000, 9000][random(3)]!);
      const inside = modelDiff(firstModel, model).filter(({ keys: [key] }) => key! >= begin && key! < end);
      expect(keysBetween(tree, first, root, begin, end)).toEqual(inside.map(({ keys }) => keys[0]));
      expect(keysBetween(tree, undefined, root, begin, end)).toEqual(
        [...model.keys()].filter((key) => key >= begin && key < end).sort((a, b) => a - b),
      );
    }
    expect(space.blockManager.nrLocked).toBe(0);
  });
});

function keysBetween(tree: Btree<unknown>, left: number | undefined, right: number, begin: number, end: number) {
  const keys: number[] = [];
  const diff = new TreeDiff(tree, left, right, { begin, end });
  while (diff.next()) keys.push(diff.keyLow);
  return keys;
}

/** Blocks that a diff reads, with nothing in the cache before. */
function blocksReadBy(space: ScratchSpace, left: number, right: number): { reads: number; differences: number } {
  space.commit();
  space.reopen();
  const tree = new Btree(space.tm, { valueType: patternType(8) });
  const differences = [...diffTrees(tree, left, right)].length;
  return { reads: space.blockManager.statistics.blocksRead, differences };
}

describe('shared parts are not read', () => {
  test('where values changed', () => {
    const space = new ScratchSpace();
    const { tree, root } = build(space, 200_000);
    space.tm.inc(root);
    let changed = root;
    for (const key of [5, 100_000, 100_001, 199_999]) changed = tree.insert(changed, key, 201);
    // Each: the root, at most two internal nodes of the four, three leaves; twice.
    const { reads, differences } = blocksReadBy(space, root, changed);
    expect(differences).toBe(4);
    expect(reads).toBeLessThanOrEqual(2 * (1 + 4 + 3));
  });

  test('nor is what lies outside the range that was asked for', () => {
    const space = new ScratchSpace();
    const { tree, root } = build(space, 200_000);
    space.tm.inc(root);
    const batch = Array.from({ length: 20_000 }, (_, i): [number, number] => [i * 10, 201]);
    const changed = insertMany(tree, root, batch).root;
    space.commit();
    space.reopen();
    const reopened = new Btree(space.tm, { valueType: patternType(8) });
    expect(keysBetween(reopened, root, changed, 99_995, 100_011)).toEqual([100_000, 100_010]);
    // The way down on either side, once to see how high the tree is, and a leaf or two.
    expect(space.blockManager.statistics.blocksRead).toBeLessThanOrEqual(2 * (2 + 4 + 2));
  });

  test('where splits shifted all places behind', () => {
    const space = new ScratchSpace();
    const { tree, root } = build(space, 60_000, 8, 10);
    space.tm.inc(root);
    const changed = insertMany(
      tree,
      root,
      Array.from({ length: 1000 }, (_, i) => [50_001 + 3 * i, 1] as const).filter(([key]) => key % 10 !== 0),
    ).root;
    const { reads, differences } = blocksReadBy(space, root, changed);
    expect(differences).toBe(900);
    expect(reads).toBeLessThanOrEqual(2 + 2 + 2 * (2 + 14));
  });

  test('where the trees are of different height', () => {
    const space = new ScratchSpace();
    const { tree, root } = build(space, 250 * 252, 8, 10);
    space.tm.inc(root);
    // Three more leaves, and the root is split beneath.
    const changed = insertMany(
      tree,
      root,
      Array.from({ length: 700 }, (_, i) => [300_001 + i, 1] as const).filter(([key]) => key % 10 !== 0),
    ).root;
    const height = (b: number): number => (space.node(b).isLeaf ? 0 : 1 + height(space.node(b).childAt(0)));
    expect([height(root), height(changed)]).toEqual([1, 2]);
    const { reads, differences } = blocksReadBy(space, root, changed);
    expect(differences).toBe(630);
    expect(reads).toBeLessThanOrEqual(1 + 3 + 3 + 8);
  });

  test('where the front, the middle or all of it went', () => {
    for (const [begin, end] of [
      [0, 100_000],
      [50_000, 150_000],
      [100_000, 200_000],
    ] as const) {
      const space = new ScratchSpace();
      const { tree, root } = build(space, 200_000);
      space.tm.inc(root);
      const changed = removeRange(tree, root, { begin, end }).root;
      const { reads, differences } = blocksReadBy(space, root, changed);
      expect(differences).toBe(100_000);
      // What went has to be read; of the other half next to nothing.
      expect(reads).toBeLessThan(100_000 / 252 + 20);
    }
  });

  test('where the parents have different keys for the same node', () => {
    const space = new ScratchSpace();
    const { tree, root } = build(space, 200_000, 8, 2);
    space.tm.inc(root);
    const changed = tree.insert(root, 1, 1);
    const second = space.node(changed).childAt(1);
    const shared = space.node(second).childAt(3);
    // A lower bound may be lower than the smallest key below it, as after a removal.
    space.tm.inc(changed);
    const lowered = tree.insert(changed, 300_001, 1);
    space.damage(space.node(lowered).childAt(1), (node) => {
      if (node.childAt(3) === shared) node.setKey(3, 0, node.keyLow(3) - 1);
    });
    const { reads } = blocksReadBy(space, changed, lowered);
    expect(reads).toBeLessThan(12);
  });
});

test('a nested tree is compared over all levels, and shared sub-trees are not entered', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(12), levels: 3 });
  let root = tree.empty();
  for (let i = 0; i < 3000; i++) root = tree.insert(root, [i % 30, i % 60, i], 1);
  space.tm.inc(root);
  let changed = tree.insert(root, [4, 34, 34], 2);
  changed = tree.insert(changed, [4, 34, 35], 3);
  changed = tree.insert(changed, [4, 99, 1], 4);
  changed = tree.insert(changed, [77, 1, 1], 5);
  changed = removeRange(tree, changed, { above: [7], begin: 30, end: 60 }).root;
  const found = [...diffTrees(tree, root, changed)];
  expect(found.slice(0, 3)).toEqual([
    { keys: [4, 34, 34], left: 1, right: 2 },
    { keys: [4, 34, 35], left: undefined, right: 3 },
    { keys: [4, 99, 1], left: undefined, right: 4 },
  ]);
  expect(found.slice(3, -1)).toEqual(
    Array.from({ length: 50 }, (_, i) => ({ keys: [7, 37, 37 + 60 * i], left: 1, right: undefined })),
  );
  expect(found.at(-1)).toEqual({ keys: [77, 1, 1], left: undefined, right: 5 });
  space.commit();
  space.reopen();
  const again = new Btree(space.tm, { valueType: patternType(12), levels: 3 });
  expect([...diffTrees(again, root, changed)]).toEqual(found);
  expect(space.blockManager.statistics.blocksRead).toBeLessThan(16);
});

test('values can be compared in another way', () => {
  const space = new ScratchSpace();
  const { tree, root } = build(space, 1000);
  space.tm.inc(root);
  const changed = tree.insert(tree.insert(root, 5, 205), 6, 7);
  const equal: DiffOptions['equal'] = (slabA, atA, slabB, atB) =>
    tree.valueType.read(slabA, atA) % 200 === tree.valueType.read(slabB, atB) % 200;
  expect([...diffTrees(tree, root, changed, { equal })]).toEqual([{ keys: [6], left: 6, right: 7 }]);
});

test('a change meanwhile is refused, unless the trees are frozen', () => {
  const space = new ScratchSpace();
  const { tree, root } = build(space, 1000);
  for (const frozen of [false, true]) {
    const diff = new TreeDiff(tree, undefined, root, { frozen });
    expect(diff.next()).toBe(true);
    space.tm.inc(root);
    if (frozen) expect(diff.next()).toBe(true);
    else expect(() => diff.next()).toThrow(StateError);
  }
});

test('damaged trees end in a CorruptionError', () => {
  for (const index of [0, 1]) {
    const space = new ScratchSpace();
    const { tree, root } = build(space, 1000);
    const { root: other } = build(space, 1000);
    space.damage(root, (node) => node.setChild(index, root));
    expect(() => [...diffTrees(tree, root, other)]).toThrow(CorruptionError);
    space.damage(root, (node) => node.setChild(index, node.childAt(2)));
    expect(() => [...diffTrees(tree, root, other)]).toThrow('has keys outside the range that its parent gives it');
  }
});

test('a cache of 32 blocks is enough', () => {
  const space = new ScratchSpace({ cacheBlocks: 32 });
  const { tree, root, model } = build(space, 20_000);
  space.tm.inc(root);
  let changed = root;
  const right = new Map(model);
  for (let key = 3; key < 20_000; key += 97) {
    changed = tree.insert(changed, key, 201);
    right.set(key, 201);
  }
  expect([...diffTrees(tree, root, changed)]).toEqual(modelDiff(model, right));
});
