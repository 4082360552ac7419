import { expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { Btree } from './btree.ts';
import { LeafMerge } from './leaf-merge.ts';
import { TreeContext } from './tree-context.ts';

test.each([
  [[], [1, 2, 3]],
  [
    [5, 6],
    [1, 2],
  ],
  [
    [5, 6],
    [7, 8],
  ],
  [
    [5, 7, 9],
    [4, 5, 6, 8, 9, 10],
  ],
  [
    [1, 2, 3, 4],
    [2, 3],
  ],
])('a leaf of %o takes %o', (old, run) => {
  const space = new ScratchSpace();
  const valueType = patternType(8);
  const tree = new Btree(space.tm, { valueType });
  let root = tree.empty();
  for (const key of old) root = tree.insert(root, key, key);
  const context = new TreeContext(space.tm, 1, valueType);
  const merge = new LeafMerge(context);
  context.spine.begin();
  context.spine.step(root, valueType);
  context.node.base = context.spine.current;
  merge.begin();
  for (const key of run) merge.add(0, key, 100 + key);
  expect(merge.finish()).toBe(run.filter((key) => !old.includes(key)).length);
  context.spine.end();
  const wanted = [...new Set([...old, ...run])].sort((a, b) => a - b);
  const node = space.node(root);
  expect(Array.from({ length: node.nrEntries }, (_, i) => node.keyAt(i))).toEqual(wanted);
  for (const key of wanted) expect(tree.lookup(root, key)).toBe(run.includes(key) ? 100 + key : key);
});
