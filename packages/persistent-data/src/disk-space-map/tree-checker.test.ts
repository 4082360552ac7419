import { expect, test } from 'vitest';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import type { Finding } from '../base/index.ts';
import { NODE_FLAG_INTERNAL, NODE_FLAG_LEAF, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { TreeChecker, type TreeOutcome } from './tree-checker.ts';

const TREE = { kind: 2, valueSize: 8 };

/** A device on which nodes are written by hand. */
class Nodes extends SickPool {
  constructor(nrBlocks = 200) {
    super(new MemoryDevice({ nrBlocks }));
  }

  leaf(block: number, begin: number, count: number): void {
    this.#write(
      block,
      NODE_FLAG_LEAF,
      Array.from({ length: count }, (_, i) => [begin + i, 7]),
    );
  }

  internal(block: number, children: readonly (readonly [key: number, child: number])[]): void {
    this.#write(block, NODE_FLAG_INTERNAL, children);
  }

  #write(block: number, flags: number, entries: readonly (readonly [number, number])[]): void {
    this.slab.words.fill(0);
    const node = new NodeView(this.slab);
    node.setHeader(flags, entries.length, 8);
    for (const [i, [key, value]] of entries.entries()) {
      node.setKey(i, Math.floor(key / 2 ** 32), key >>> 0);
      node.setChild(i, value);
    }
    NODE_VALIDATOR.seal(this.slab, 0, block);
    this.device.write(block, [this.slab.bytes]);
  }
}

function check(
  nodes: Nodes,
  root: number,
  checker = new TreeChecker(nodes.device),
  tree = TREE,
): [Finding[], TreeOutcome] {
  const run = checker.check(root, tree);
  const findings: Finding[] = [];
  let step = run.next();
  for (; !step.done; step = run.next()) findings.push(step.value);
  return [findings, step.value];
}

test('a tree without damage: entries are added up, references counted', () => {
  const nodes = new Nodes();
  for (let i = 0; i < 10; i++) nodes.leaf(10 + i, 100 * i, 90);
  nodes.internal(
    1,
    Array.from({ length: 90 }, (_, i) => [i, 10 + i])
      .slice(0, 10)
      .map(([i, b]) => [100 * i!, b!]),
  );
  const checker = new TreeChecker(nodes.device);
  expect(check(nodes, 1, checker)).toEqual([[], { nrEntries: 900, nrErrors: 0, rootIsLost: false }]);
  expect([1, 10, 19, 20].map((block) => checker.counts.count(block))).toEqual([1, 1, 1, 0]);
});

test('a node that two trees share is visited once and counts in both', () => {
  const nodes = new Nodes();
  nodes.leaf(10, 0, 100);
  nodes.leaf(11, 100, 100);
  nodes.leaf(12, 100, 120);
  nodes.internal(1, [
    [0, 10],
    [100, 11],
  ]);
  nodes.internal(2, [
    [0, 10],
    [100, 12],
  ]);
  const checker = new TreeChecker(nodes.device);
  const visited: number[] = [];
  const tree = { ...TREE, visitLeaf: (_: NodeView, block: number) => void visited.push(block) };
  expect(check(nodes, 1, checker, tree)[1].nrEntries).toBe(200);
  expect(check(nodes, 2, checker, tree)[1].nrEntries).toBe(220);
  expect(check(nodes, 2, checker, tree)[1]).toEqual({ nrEntries: 220, nrErrors: 0, rootIsLost: false });
  expect(visited).toEqual([10, 11, 12]);
  expect([2, 10, 12].map((block) => checker.counts.count(block))).toEqual([2, 2, 1]);
});

test('a shared node must fit under each of its parents', () => {
  const nodes = new Nodes();
  nodes.leaf(10, 0, 100);
  nodes.leaf(11, 100, 100);
  nodes.internal(1, [
    [0, 10],
    [100, 11],
  ]);
  nodes.internal(2, [
    [0, 10],
    [150, 11],
  ]);
  nodes.internal(3, [
    [0, 11],
    [120, 10],
  ]);
  const checker = new TreeChecker(nodes.device);
  expect(check(nodes, 1, checker)[0]).toEqual([]);
  expect(check(nodes, 2, checker)[0]).toMatchObject([{ code: 'btree.keys', block: 11 }]);
  expect(check(nodes, 3, checker)[0]).toMatchObject([{ code: 'btree.keys' }, { code: 'btree.keys' }]);
});

test('keys are held against all nodes above', () => {
  const nodes = new Nodes();
  nodes.leaf(10, 0, 100);
  nodes.leaf(11, 100, 100);
  nodes.leaf(12, 150, 100);
  nodes.internal(20, [
    [0, 10],
    [100, 11],
  ]);
  nodes.internal(21, [[150, 12]]);
  nodes.internal(1, [
    [0, 20],
    [150, 21],
  ]);
  const found = check(nodes, 1)[0].filter(({ code }) => code === 'btree.keys');
  expect(found).toMatchObject([{ block: 11, path: [1, 20, 11] }]);
});

test('a chain without end is given up, a ring is seen', () => {
  const nodes = new Nodes();
  for (let b = 1; b < 100; b++) nodes.internal(b, [[0, b + 1]]);
  nodes.leaf(100, 0, 1);
  expect(check(nodes, 1)[0].map(({ code }) => code)).toContain('btree.height');
  nodes.internal(10, [[0, 1]]);
  expect(check(nodes, 1)[0]).toMatchObject([
    { code: 'btree.cycle', block: 1 },
    ...Array(9).fill({ code: 'btree.underfull' }),
  ]);
});

test('a root outside the device, and one that is something else', () => {
  const nodes = new Nodes();
  nodes.leaf(10, 0, 5);
  const checker = new TreeChecker(nodes.device);
  expect(check(nodes, 10 ** 12, checker)[1].rootIsLost).toBe(true);
  expect(check(nodes, 10, checker)[1].rootIsLost).toBe(false);
  expect(check(nodes, 10, checker, { ...TREE, kind: 3 })).toMatchObject([
    [{ code: 'btree.shared' }],
    { rootIsLost: true },
  ]);
  expect(checker.countBlock(10, 'bitmap')).toMatchObject({ code: 'block.shared' });
  expect(checker.countBlock(11, 'bitmap')).toBeUndefined();
  expect(checker.countBlock(200, 'bitmap')).toMatchObject({ code: 'block.outside' });
});

test('an empty root is a tree, an empty leaf below one is not', () => {
  const nodes = new Nodes();
  nodes.leaf(10, 0, 0);
  nodes.leaf(11, 100, 100);
  expect(check(nodes, 10)).toEqual([[], { nrEntries: 0, nrErrors: 0, rootIsLost: false }]);
  nodes.internal(1, [
    [0, 10],
    [100, 11],
  ]);
  expect(check(nodes, 1)[0]).toMatchObject([{ code: 'btree.underfull', block: 10 }]);
});

test('leaves are equally deep', () => {
  const nodes = new Nodes();
  for (const [i, block] of [10, 11, 12].entries()) nodes.leaf(block, 100 * i, 90);
  nodes.internal(20, [
    [0, 10],
    [100, 11],
  ]);
  nodes.internal(1, [
    [0, 20],
    [200, 12],
  ]);
  const [findings, outcome] = check(nodes, 1);
  expect(findings.filter(({ code }) => code !== 'btree.underfull')).toMatchObject([
    { code: 'btree.depth', block: 12, path: [1, 12], keys: { begin: 200n } },
  ]);
  expect(outcome.nrEntries).toBe(180);
});
