import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import type { Finding } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { NODE_VALIDATOR, type NodeView } from '../format/index.ts';
import { TransactionManager } from '../transaction-manager/index.ts';
import { Btree } from './btree.ts';
import { BtreeBuilder } from './builder.ts';
import { type CheckedTree, type CheckOptions, checkTree } from './check.ts';
import { CheckedNodes } from './checked-nodes.ts';

const valueType = patternType(8);

function check(space: ScratchSpace, root: number, options: Partial<CheckOptions> = {}) {
  const findings: Finding[] = [];
  const generator = checkTree(space.tm, root, { valueSize: 8, ...options });
  for (;;) {
    const { done, value } = generator.next();
    if (done) return { findings, codes: findings.map(({ code }) => code), result: value as CheckedTree };
    findings.push(value as Finding);
  }
}

/** A tree of the keys 0, 10, 20, …, of full nodes. */
function build(space: ScratchSpace, count: number): number {
  const builder = new BtreeBuilder(space.tm, valueType);
  for (let i = 0; i < count; i++) builder.add(0, 10 * i, i);
  return builder.finish();
}

/** As {@link build}, with the blocks of some nodes: a root, its children, and their children. */
function threeLevels(space = new ScratchSpace()) {
  const root = build(space, 252 * 252 + 5);
  const children = (b: number) => {
    const node = space.node(b);
    return Array.from({ length: node.nrEntries }, (_, i) => node.childAt(i));
  };
  const middle = children(root);
  return { space, root, middle, leaves: middle.map(children) };
}

test('a sound tree has no findings, whatever its size', () => {
  const space = new ScratchSpace();
  for (const count of [0, 1, 252, 253, 1000, 70_000]) {
    const seen: number[] = [];
    let values = 0;
    const { findings, result } = check(space, build(space, count), {
      onBlock: (b) => seen.push(b),
      onLeafValues: (node) => {
        values += node.nrEntries;
      },
    });
    expect([findings, result, values]).toEqual([[], { nrEntries: count, damaged: false }, count]);
    expect(new Set(seen).size).toBe(seen.length);
  }
  expect(space.blockManager.nrLocked).toBe(0);
});

test('trees of three levels are checked through, and shared sub-trees once', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType: patternType(12), levels: 3 });
  let root = tree.empty();
  for (let i = 0; i < 3000; i++) root = tree.insert(root, [i % 3, i % 300, i], 1);
  space.tm.inc(root);
  const other = tree.insert(root, [1, 1, 1], 7);
  const nodes = new CheckedNodes();
  const references = new Map<number, number>();
  const leaves: string[] = [];
  for (const version of [root, other]) {
    const { findings, result } = check(space, version, {
      levels: 3,
      valueSize: 12,
      nodes,
      onBlock: (b) => references.set(b, (references.get(b) ?? 0) + 1),
      onLeafValues: (_node, above) => leaves.push(above.join()),
    });
    expect([findings, result.nrEntries]).toEqual([[], 3000]);
  }
  // As many references as counts, and each bottom leaf of either version once: 300 of the first, the copied one of the second.
  expect(references).toEqual(new Map([...space.counts()].filter(([b]) => b !== 0)));
  expect(leaves).toHaveLength(301);
  expect(leaves.at(-1)).toBe('1,1');
});

describe('it finds', () => {
  test('a node that can not be read, and says which keys are lost', () => {
    const { space, root, middle, leaves } = threeLevels();
    space.commit();
    space.device.write(leaves[0]![3]!, [new Uint8Array(4096)]);
    space.reopen();
    const { findings, result } = check(space, root);
    expect(findings).toEqual([
      {
        severity: 'fatal',
        code: 'btree.node',
        message: `Cannot read btree_node block ${leaves[0]![3]}: blocknr is 0, ${leaves[0]![3]} is wanted`,
        block: leaves[0]![3],
        path: [root, middle[0], leaves[0]![3]],
        keys: { begin: 7560n, end: 10080n },
      },
    ]);
    expect(result).toEqual({ nrEntries: 252 * 252 + 5 - 252, damaged: true });
  });

  test('a reference beyond the device, of any size', () => {
    const { space, root, leaves } = threeLevels();
    for (const [i, block] of [4096, 2 ** 31, 2 ** 32 + leaves[0]![5]!, 2 ** 53 - 1].entries()) {
      space.damage(root, (node) => node.setChild(0, block));
      const { codes, findings } = check(space, root, { path: [99] });
      expect(codes, String(i)).toEqual(['btree.node']);
      expect(findings[0]!.path).toEqual([99, root, block]);
    }
  });

  const cases: [
    name: string,
    codes: string[],
    damage: (space: ScratchSpace, t: ReturnType<typeof threeLevels>) => void,
  ][] = [
    [
      'keys that do not rise in a leaf',
      ['btree.keys'],
      (s, t) => s.damage(t.leaves[0]![1]!, (n) => n.setKey(7, 0, 2000)),
    ],
    ['keys that are equal', ['btree.keys'], (s, t) => s.damage(t.leaves[0]![1]!, (n) => n.setKey(7, 0, n.keyLow(6)))],
    [
      'keys that do not rise in an internal node',
      ['btree.keys'],
      (s, t) => s.damage(t.middle[0]!, (n) => n.setKey(7, 0, 1)),
    ],
    ['a high half that falls', ['btree.keys'], (s, t) => s.damage(t.middle[0]!, (n) => n.setKey(7, 1, n.keyLow(7)))],
    ['a key below its range', ['btree.key-range'], (s, t) => s.damage(t.leaves[0]![1]!, (n) => n.setKey(0, 0, 2519))],
    [
      'a key beyond its range',
      ['btree.key-range'],
      (s, t) => s.damage(t.leaves[0]![1]!, (n) => n.setKey(251, 0, 5040)),
    ],
    [
      'a leaf of another value size',
      ['btree.value-size'],
      (s, t) => s.damage(t.leaves[0]![1]!, (n) => n.setHeader(2, 9, 4)),
    ],
    ['an empty leaf', ['btree.empty'], (s, t) => s.damage(t.leaves[0]![1]!, (n) => setNr(n, 0))],
    ['an under-full leaf', ['btree.underfull'], (s, t) => s.damage(t.leaves[0]![1]!, (n) => setNr(n, 83))],
    ['an under-full internal node', ['btree.underfull'], (s, t) => s.damage(t.middle[0]!, (n) => setNr(n, 83))],
    ['a room that is no multiple of three', ['btree.max-entries'], (s, t) => setMax(s, t.leaves[0]![1]!, 251)],
    ['a room that is smaller than usual', ['btree.max-entries'], (s, t) => setMax(s, t.leaves[0]![1]!, 249)],
    ['a cycle', ['btree.cycle'], (s, t) => s.damage(t.middle[0]!, (n) => n.setChild(5, t.middle[0]!))],
    ['a cycle to the root', ['btree.cycle'], (s, t) => s.damage(t.middle[1]!, (n) => n.setChild(2, t.root))],
    ['a leaf at two places', ['btree.key-range'], (s, t) => s.damage(t.middle[0]!, (n) => n.setChild(5, n.childAt(3)))],
    ['a leaf too high up', ['btree.depth'], (s, t) => s.damage(t.root, (n) => n.setChild(1, lastLeaf(t)))],
    [
      'a leaf too far down',
      ['btree.depth'],
      (s, t) =>
        s.damage(t.middle[1]!, (n) => {
          n.setChild(125, oneEntryNode(s, n.keyLow(125), n.childAt(125)));
        }),
    ],
  ];

  test.each(cases)('%s', (_name, codes, damage) => {
    const tree = threeLevels();
    damage(tree.space, tree);
    const found = check(tree.space, tree.root);
    expect(new Set(found.codes.filter((code) => code !== 'btree.underfull' || codes.includes(code)))).toEqual(
      new Set(codes),
    );
    expect(found.result.damaged).toBe(found.findings.some(({ severity }) => severity === 'fatal'));
    for (const { path, block } of found.findings) expect([path![0], path!.at(-1)]).toEqual([tree.root, block]);
    expect(tree.space.blockManager.nrLocked).toBe(0);
  });

  function setNr(node: NodeView, count: number): void {
    node.nrEntries = count;
  }

  /** Values stay where readers look for them: only the room is another one. */
  function setMax(space: ScratchSpace, b: number, maxEntries: number): void {
    space.damage(b, (node) => {
      node.slab.bytes.copyWithin(
        node.valueAt(0) - 8 * (node.maxEntries - maxEntries),
        node.valueAt(0),
        node.valueAt(200),
      );
      node.nrEntries = 200;
      node.words[node.base + 5] = maxEntries;
    });
  }

  function lastLeaf(tree: ReturnType<typeof threeLevels>): number {
    return tree.leaves[1]![0]!;
  }

  function oneEntryNode(space: ScratchSpace, key: number, child: number): number {
    return internalNode(space, [[key, child]]);
  }
});

/** A new internal node with these keys and children. */
function internalNode(space: ScratchSpace, entries: readonly (readonly [key: number, child: number])[]): number {
  const base = space.tm.newBlock(NODE_VALIDATOR);
  const block = space.blockManager.blockAt(base);
  space.tm.unlock(base);
  space.damage(block, (node) => {
    node.setHeader(1, entries.length, 8);
    for (const [i, [key, child]] of entries.entries()) {
      node.setKey(i, 0, key);
      node.setChild(i, child);
    }
  });
  return block;
}

test('it goes on after the first finding', () => {
  const { space, root, leaves } = threeLevels();
  for (const i of [1, 5, 9]) space.damage(leaves[0]![i]!, (node) => node.setKey(7, 9, 9));
  expect(check(space, root).codes).toEqual(['btree.keys', 'btree.keys', 'btree.keys']);
});

test('a damaged node that two trees share is found in both, and read once', () => {
  const { space, root, leaves } = threeLevels();
  const tree = new Btree(space.tm, { valueType });
  space.tm.inc(root);
  const other = tree.insert(root, 10, 5);
  space.damage(leaves[1]![3]!, (node) => node.setKey(0, 0, 1));
  const nodes = new CheckedNodes();
  const first = check(space, root, { nodes });
  const { size } = nodes;
  const second = check(space, other, { nodes });
  expect([first.codes, second.codes]).toEqual([['btree.key-range'], ['btree.node']]);
  expect(second.result.damaged).toBe(true);
  expect(nodes.size).toBe(size + 3);
});

test('a node used in two levels of nesting is refused', () => {
  const space = new ScratchSpace();
  const tree = new Btree(space.tm, { valueType, levels: 2 });
  const root = tree.insert(tree.empty(), [1, 1], 1);
  space.damage(root, (node) => node.setChild(0, root));
  expect(check(space, root, { levels: 2 }).codes).toEqual(['btree.cycle']);
  const nodes = new CheckedNodes();
  const sub = build(space, 3);
  check(space, sub, { nodes });
  expect(check(space, sub, { levels: 2, nodes }).codes).toEqual(['btree.shared']);
});

test('hostile nodes can not make it long: every node points to the next one 252 times', () => {
  const space = new ScratchSpace();
  let child = build(space, 252);
  for (let level = 0; level < 40; level++) {
    const below = child;
    child = internalNode(
      space,
      Array.from({ length: 252 }, (_, i) => [10 * i, below]),
    );
  }
  const { findings } = check(space, child);
  expect(findings.length).toBeLessThan(2 * 41 * 252);
  expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(['btree.key-range', 'btree.node']));
});

test('a chain of one-entry nodes ends at 64', () => {
  const space = new ScratchSpace();
  let child = build(space, 252);
  for (let level = 0; level < 70; level++) child = internalNode(space, [[0, child]]);
  const { codes } = check(space, child);
  expect(codes.filter((code) => code !== 'btree.underfull')).toEqual(['btree.depth']);
});

test('any bytes at all: no throw, no hang', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 60; round++) {
    const { space, root } = threeLevels(new ScratchSpace({ nrBlocks: 512, cacheBlocks: 512 }));
    for (let hit = 0; hit < 5; hit++) {
      const block = 1 + random(250);
      if (!space.blockManager.isCached(block)) continue;
      // Within the validator's bounds: it is what a program with a correct checksum could have left there.
      space.damage(block, (node) => {
        const word = random(3) === 0 ? 4 : 8 + random(1016);
        if (word === 4) node.nrEntries = random(node.maxEntries) + 1;
        else node.words[node.base + word] = random(2) === 0 ? random(600) : seed;
      });
    }
    expect(() => check(space, root)).not.toThrow();
  }
});

test('a cache smaller than the tree gives the same answer', () => {
  const { space, root, leaves } = threeLevels();
  space.damage(leaves[0]![9]!, (node) => node.setKey(7, 9, 9));
  space.commit();
  const blockManager = new BlockManager(space.device, { cacheBlocks: 32 });
  const generator = checkTree(new TransactionManager(blockManager, space.spaceMap), root, { valueSize: 8 });
  expect([...generator].map(({ code }) => code)).toEqual(['btree.keys']);
  expect(blockManager.statistics.blocksRead).toBeLessThan(2 * space.counts().size);
});
