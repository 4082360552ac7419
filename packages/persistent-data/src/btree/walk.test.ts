import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError, type U64 } from '../base/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { walkTree } from './walk.ts';

test('a walk visits every node of a nested tree, parents first, with its keys and its path', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(12), levels: 3 });
  let root = tree.empty();
  for (let i = 0; i < 2000; i++) root = tree.insert(root, [i % 2, i % 4, i], i);
  const blocks: number[] = [];
  const entries = new Map<string, U64[]>();
  walkTree(space.tm, root, { levels: 3, valueSize: 12 }, (visit) => {
    const { block, node, level, above } = visit;
    expect(visit.path().at(-1)).toBe(block);
    expect(
      visit
        .path()
        .slice(0, -1)
        .every((b) => blocks.includes(b)),
    ).toBe(true);
    blocks.push(block);
    expect(above).toHaveLength(level);
    if (level !== 2 || !node.isLeaf) return;
    const keys = entries.get(above.join()) ?? [];
    for (let i = 0; i < node.nrEntries; i++) keys.push(node.keyAt(i));
    entries.set(above.join(), keys);
  });
  expect(new Set(blocks)).toEqual(new Set([...space.counts().keys()].filter((b) => b !== 0)));
  expect([...entries.keys()]).toEqual(['0,0', '0,2', '1,1', '1,3']);
  expect(entries.get('1,3')).toEqual(Array.from({ length: 500 }, (_, i) => 4 * i + 3));
});

test('a visitor leaves out what is below', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 1000; i++) builder.add(0, i, i);
  let visits = 0;
  walkTree(space.tm, builder.finish(), { valueSize: 8 }, () => ++visits > 5);
  expect(visits).toBe(1);
});

test.each([
  ['a cycle', (root: number) => [0, root]],
  ['a node twice', (_root: number, child: number) => [1, child]],
])('%s ends it with a CorruptionError', (_name, change) => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 1000; i++) builder.add(0, i, i);
  const root = builder.finish();
  space.damage(root, (node) => {
    const [index, block] = change(root, node.childAt(0)) as [number, number];
    node.setChild(index, block);
  });
  expect(() => walkTree(space.tm, root, { valueSize: 8 }, () => true)).toThrow(CorruptionError);
  expect(() => walkTree(space.tm, root, { valueSize: 8 }, () => true)).toThrow('has keys outside the range');
});

test('a chain of one-entry nodes that leads to itself ends too, and so does a wrong value size', () => {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < 1000; i++) builder.add(0, i, i);
  const root = builder.finish();
  expect(() => walkTree(space.tm, root, { valueSize: 4 }, () => true)).toThrow('336 values of 4 bytes are wanted');
  space.damage(root, (node) => {
    node.nrEntries = 1;
    node.setChild(0, root);
  });
  expect(() => walkTree(space.tm, root, { valueSize: 8 }, () => true)).toThrow('is deeper than 64 nodes');
});
