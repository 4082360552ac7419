import { expect, test } from 'vitest';
import { expectShape, patternType, referenceCounts, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { BtreeBuilder } from './builder.ts';
import { evenOutAlong } from './seam.ts';
import { TreeContext } from './tree-context.ts';

function build(count: number) {
  const space = new ScratchSpace();
  const builder = new BtreeBuilder(space.tm, patternType(8));
  for (let i = 0; i < count; i++) builder.add(0, i, i);
  return { space, root: builder.finish(), context: new TreeContext(space.tm, 1, patternType(8)) };
}

test('a short leaf is merged with its neighbour, and the root that is left with one child gives way', () => {
  const { space, root, context } = build(400);
  const leaf = space.node(root).childAt(1);
  space.damage(leaf, (node) => {
    node.nrEntries = 10;
  });
  const first = evenOutAlong(context, root, 0, 0, 205);
  expect(first.changed).toBe(true);
  const second = evenOutAlong(context, first.root, 0, 0, 205);
  expect(second.changed).toBe(true);
  expect(evenOutAlong(context, second.root, 0, 0, 205)).toEqual({ root: second.root, changed: false });
  expect(expectShape(space, second.root)).toHaveLength(210);
  expect(referenceCounts(space, [{ root: second.root }])).toEqual(space.counts());
});

test('a short leaf beside a full one is evened out with it', () => {
  const { space, root, context } = build(252 * 4);
  const leaf = space.node(root).childAt(0);
  space.damage(leaf, (node) => {
    node.nrEntries = 10;
  });
  const outcome = evenOutAlong(context, root, 0, 0, 5);
  expect(outcome.changed).toBe(true);
  expect(space.node(space.node(outcome.root).childAt(0)).nrEntries).toBe(131);
  expect(expectShape(space, outcome.root)).toHaveLength(252 * 3 + 10);
  expect(space.blockManager.nrLocked).toBe(0);
});
