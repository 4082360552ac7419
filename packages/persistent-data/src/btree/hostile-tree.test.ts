import { describe, expect, test } from 'vitest';
import { patternType, ScratchSpace } from '../../../../test/structures/scratch-space.ts';
import { CorruptionError } from '../base/index.ts';
import { NODE_FLAG_INTERNAL, NODE_FLAG_LEAF, NODE_VALIDATOR, NodeView } from '../format/index.ts';
import { Btree } from './btree.ts';
import { PLAIN_U64 } from './value-type.ts';

/** Blocks of trees that no program of ours would make, with good checksums and counts. */
class Forge {
  readonly space: ScratchSpace;

  constructor(options: { cacheBlocks?: number } = {}) {
    this.space = new ScratchSpace({ nrBlocks: 1024, ...options });
  }

  /** An internal node at block `b` that leads from each key to a block. */
  internal(b: number, children: Record<number, number>): number {
    return this.#make(b, NODE_FLAG_INTERNAL, 8, children);
  }

  leaf(b: number, keys: readonly number[], valueSize = 8): number {
    return this.#make(b, NODE_FLAG_LEAF, valueSize, Object.fromEntries(keys.map((key) => [key, key])), keys);
  }

  #make(b: number, flags: number, size: number, values: Record<number, number>, order?: readonly number[]): number {
    const { blockManager, spaceMap } = this.space;
    const node = new NodeView(blockManager.slab, blockManager.writeLockZero(b, NODE_VALIDATOR));
    const keys = order ?? Object.keys(values).map(Number);
    node.setHeader(flags, keys.length, size);
    for (const [i, key] of keys.entries()) {
      node.setKey(i, 0, key);
      if (size === 8) node.setChild(i, values[key]!);
    }
    blockManager.unlock(node.base);
    spaceMap.setCount(b, 1);
    return b;
  }

  tree(size = 8, levels = 1): Btree<number> {
    return new Btree(this.space.tm, { valueType: size === 8 ? PLAIN_U64 : patternType(size), levels });
  }

  /** All that was made so far is what the last commit holds. */
  commit(): void {
    this.space.commit();
  }
}

const run = (begin: number, count: number, step = 1) => Array.from({ length: count }, (_, i) => begin + i * step);

describe('a path that leads back into itself', () => {
  /**
   * Three nodes in a row, the last of which leads to the block that the shadow of the first will get: so the circle closes only while the tree is
   * changed, through blocks of the transaction itself, which may be shadowed without end.
   */
  function circle(fanOut: number) {
    const forge = new Forge();
    forge.space.spaceMap.newBlock();
    const children = (to: number) => Object.fromEntries(run(0, fanOut).map((key) => [key * 100, to]));
    for (const [b, to] of [
      [500, 501],
      [501, 502],
      [502, 2],
    ] as const) {
      forge.internal(b, children(to));
    }
    forge.commit();
    forge.space.spaceMap.setCount(2, 0);
    return forge;
  }

  test.each([1, 3])('ends an insert, an overwrite and a removal (%i entries a node)', (fanOut) => {
    const changes: ((tree: Btree<number>) => unknown)[] = [
      (tree) => tree.insert(500, 5, 5),
      (tree) => tree.overwrite(500, 5, () => {}),
      (tree) => tree.removeLeaves(500, 5, 6),
    ];
    for (const change of changes) {
      const forge = circle(fanOut);
      expect(() => change(forge.tree())).toThrow(CorruptionError);
      expect(forge.space.tm.broken).toBeInstanceOf(CorruptionError);
    }
  });

  test('ends a search and a deletion', () => {
    const forge = new Forge();
    for (const [b, to] of [
      [500, 501],
      [501, 500],
    ] as const) {
      forge.internal(b, { 0: to });
    }
    forge.commit();
    const tree = forge.tree();
    for (const use of [
      () => tree.lookup(500, 5),
      () => tree.lookupNext(500, 5),
      () => tree.lookupPrevious(500, 5),
      () => tree.lastKey(500),
      () => tree.remove(500, 5),
    ]) {
      expect(use).toThrow('Cannot search tree 500: it is higher than 64 nodes, or has a cycle');
    }
    expect(() => tree.delete(500)).toThrow('Cannot delete tree 500: it is deeper than 64 nodes');
  });
});

test('a chain of nodes longer than the cache is deleted with one lock at a time', () => {
  const forge = new Forge({ cacheBlocks: 32 });
  for (const b of run(500, 60)) forge.internal(b, { 0: b + 1 });
  forge.leaf(560, run(0, 10));
  forge.commit();
  forge.tree().delete(500);
  expect(run(500, 61).filter((b) => forge.space.spaceMap.getCount(b) > 0)).toEqual([]);
  expect(forge.space.blockManager.nrLocked).toBe(0);
});

describe('keys out of order', () => {
  test('do not send a walk by `lookupNext` or `lookupPrevious` round in a circle', () => {
    const forge = new Forge();
    // The second child's keys are below what its parent says: 5 comes after 50 for ever.
    forge.leaf(501, run(0, 51));
    forge.leaf(502, run(5, 100));
    forge.internal(500, { 0: 501, 100: 502 });
    forge.leaf(510, run(200, 10));
    forge.leaf(511, run(60, 10));
    forge.internal(512, { 0: 510, 50: 511 });
    forge.commit();
    const tree = forge.tree();
    const text = /^Cannot search btree_node block \d+: its keys are out of order$/;
    expect(() => tree.lookupNext(500, 51)).toThrow(text);
    expect(() => tree.lookupPrevious(512, 55)).toThrow(text);
    expect(tree.lookupNext(500, 10)).toMatchObject({ key: 10 });
    expect(() => {
      for (let from = 0; ; ) {
        const next = tree.lookupNext(500, from);
        if (next === undefined) return;
        from = Number(next.key) + 1;
      }
    }).toThrow(text);
    expect(() => {
      for (let from = 120; from >= 0; ) {
        const next = tree.lookupPrevious(512, from);
        if (next === undefined) return;
        from = Number(next.key) - 1;
      }
    }).toThrow(text);
  });

  test('within a leaf neither', () => {
    const forge = new Forge();
    forge.leaf(500, [10, 3, 2, 1, 20]);
    forge.commit();
    const tree = forge.tree();
    for (let key = 0; key <= 21; key++) {
      for (const [find, sign] of [
        ['lookupNext', 1],
        ['lookupPrevious', -1],
      ] as const) {
        try {
          const found = tree[find](500, key);
          if (found !== undefined) expect((Number(found.key) - key) * sign).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }
    }
  });
});

describe('nodes of two kinds side by side', () => {
  const text = /^Cannot use btree_node block \d+: it is (leaf|internal), unlike its sibling$/;

  /** A root whose three children are leaves and internal nodes, with as many entries as asked for. */
  function mixed(kinds: readonly ('leaf' | 'internal')[], nrEntries: number, size: number): Forge {
    const forge = new Forge();
    const root: Record<number, number> = {};
    for (const [i, kind] of kinds.entries()) {
      const b = 501 + i;
      const keys = run(1000 * i, nrEntries);
      root[1000 * i] = b;
      if (kind === 'leaf') forge.leaf(b, keys, size);
      else forge.internal(b, Object.fromEntries(keys.map((key) => [key, 600])));
    }
    forge.leaf(600, [0], size);
    forge.space.spaceMap.setCount(600, 1000);
    forge.internal(500, root);
    forge.commit();
    return forge;
  }

  test.each([
    ['to even them out', ['leaf', 'internal'], 30],
    ['to even them out', ['internal', 'leaf', 'internal'], 30],
  ] as const)('a removal refuses %s: %j', (_, kinds, nrEntries) => {
    for (const size of [4, 8]) {
      const forge = mixed(kinds, nrEntries, size);
      const key = 1000 * kinds.indexOf('leaf');
      expect(() => forge.tree(size).remove(500, key)).toThrow(text);
    }
  });

  test('an insert into a full node refuses to even it out with the other kind, or to split with it', () => {
    const forge = new Forge();
    forge.leaf(501, run(0, 336, 2), 4);
    forge.internal(502, Object.fromEntries(run(1000, 10).map((key) => [key, 600])));
    forge.internal(500, { 0: 501, 1000: 502 });
    forge.commit();
    expect(() => forge.tree(4).insert(500, 5, 5)).toThrow(text);
    // Two into three: the left sibling is too full to take entries.
    const other = new Forge();
    other.internal(501, Object.fromEntries(run(0, 250).map((key) => [key, 600])));
    other.leaf(502, run(1000, 336, 2), 4);
    other.leaf(503, run(3000, 336, 2), 4);
    other.internal(500, { 0: 501, 1000: 502, 3000: 503 });
    other.commit();
    expect(() => other.tree(4).insert(500, 1001, 5)).toThrow(text);
  });
});

test('a root that collapses into a node of another geometry is refused', () => {
  const forge = new Forge();
  forge.leaf(501, run(0, 10), 4);
  forge.internal(500, { 0: 501 });
  forge.commit();
  const text =
    'Cannot use btree_node block 501: it has room for 336 values of 4 bytes, 252 values of 8 bytes are wanted';
  expect(() => forge.tree(8).removeLeaves(500, 3, 5)).toThrow(text);
});

test('a leaf of another value size is refused before its values are given up', () => {
  const forge = new Forge();
  const given: number[] = [];
  const valueType = { ...patternType(8), dec: (_: unknown, at: number) => void given.push(at) };
  forge.leaf(500, run(0, 10), 4);
  forge.commit();
  const tree = new Btree(forge.space.tm, { valueType });
  expect(() => tree.delete(500)).toThrow('252 values of 8 bytes are wanted');
  expect(given).toEqual([]);
});
