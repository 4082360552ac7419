import { describe, expect, test } from 'vitest';
import { makePool, type PoolShape, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { CorruptionError } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { LeafSharing } from './leaf-sharing.ts';

function sharingOf(pool: SickPool): LeafSharing {
  const blockManager = new BlockManager(pool.device, { cacheBlocks: 256, readOnly: true });
  return new LeafSharing({ blockManager, read: (b, validator) => blockManager.read(b, validator) });
}

function added(pool: SickPool): { sharing: LeafSharing; heights: number[] } {
  const sharing = sharingOf(pool);
  const heights = pool.children(pool.mappingRoot).map((root) => sharing.add(root));
  return { sharing, heights };
}

function leavesOf(pool: SickPool, root: number): number[] {
  pool.read(root);
  const isLeaf = pool.slab.words[1] === 2;
  return isLeaf ? [root] : pool.children(root).flatMap((child) => leavesOf(pool, child));
}

/** Shared runs by their definition: leaves that always stand side by side, in all devices that have them. */
function plainRuns(pool: SickPool): number[][] {
  const rows = pool.children(pool.mappingRoot).map((root) => [-1, ...leavesOf(pool, root), -1]);
  const neighbours = (leaf: number, step: number): Set<number> =>
    new Set(rows.flatMap((row) => row.flatMap((other, i) => (other === leaf ? [row[i + step]!] : []))));
  const users = (leaf: number): number => rows.filter((row) => row.includes(leaf)).length;
  const follows = (leaf: number): number => {
    const [next] = neighbours(leaf, 1);
    const isOnly = neighbours(leaf, 1).size === 1 && next !== -1 && neighbours(next!, -1).size === 1;
    return isOnly ? next! : -1;
  };
  const shared = [...new Set(rows.flat())].filter((leaf) => leaf !== -1 && users(leaf) > 1);
  const begins = shared.filter((leaf) => !shared.some((other) => follows(other) === leaf));
  const run = (leaf: number): number[] => (leaf === -1 ? [] : [leaf, ...run(follows(leaf))]);
  return begins.sort((a, b) => a - b).map(run);
}

function foundRuns(sharing: LeafSharing): number[][] {
  return [...sharing.sharedRuns()].map((first) => {
    const run: number[] = [];
    for (let leaf = first; leaf >= 0; leaf = sharing.nextInRun(leaf)) run.push(leaf);
    return run;
  });
}

const SHAPES: [string, PoolShape][] = [
  [
    'nothing shared',
    {
      devices: [
        { id: 0, mapped: steps(0, 600) },
        { id: 1, mapped: steps(0, 10) },
      ],
    },
  ],
  [
    'all shared',
    {
      devices: [
        { id: 0, mapped: steps(0, 600) },
        { id: 1, origin: 0, mapped: [] },
      ],
    },
  ],
  [
    'shared but for the first leaf',
    {
      devices: [
        { id: 0, mapped: steps(0, 3000, 2) },
        { id: 1, origin: 0, mapped: [0] },
      ],
    },
  ],
  [
    'shared but for the last leaf',
    {
      devices: [
        { id: 0, mapped: steps(0, 3000, 2) },
        { id: 1, origin: 0, mapped: [5000] },
      ],
    },
  ],
  [
    'runs that are cut in other places by other devices',
    {
      devices: [
        { id: 0, mapped: steps(0, 6000, 2) },
        { id: 1, origin: 0, mapped: [1500] },
        { id: 2, origin: 0, mapped: [3000, 3002] },
        { id: 3, origin: 1, mapped: [4500] },
        { id: 4, origin: 3, mapped: [] },
        { id: 5, mapped: steps(0, 5) },
        { id: 6, origin: 5, mapped: [] },
      ],
    },
  ],
  [
    'three levels of nodes',
    {
      nrDataBlocks: 70_000,
      nrMetadataBlocks: 2048,
      devices: [
        { id: 0, mapped: steps(0, 66_000) },
        { id: 1, origin: 0, mapped: [20_000] },
        { id: 2, origin: 0, mapped: [] },
      ],
    },
  ],
];

test.each(SHAPES)('runs are what the definition says: %s', (_, shape) => {
  const pool = new SickPool(makePool(shape));
  const { sharing } = added(pool);
  expect(foundRuns(sharing)).toEqual(plainRuns(pool));
});

test('`add()` answers the height of the tree', () => {
  const pool = new SickPool(makePool(SHAPES[5]![1]));
  expect(added(pool).heights).toEqual([2, 2, 2]);
});

describe('trees that cannot be', () => {
  const deep = (): SickPool =>
    new SickPool(
      makePool({
        devices: [
          { id: 0, mapped: steps(0, 600) },
          { id: 1, mapped: [1] },
        ],
      }),
    );

  test('an internal node where others have a leaf', () => {
    const pool = new SickPool(
      makePool({
        devices: [
          { id: 0, mapped: steps(0, 600) },
          { id: 1, mapped: steps(0, 600) },
        ],
      }),
    );
    const [root, other] = pool.children(pool.mappingRoot);
    pool.setValue(other!, 1, root!);
    const sharing = sharingOf(pool);
    sharing.add(root!);
    expect(() => sharing.add(other!)).toThrow(CorruptionError);
  });

  test('a ring', () => {
    const pool = deep();
    const [root] = pool.children(pool.mappingRoot);
    pool.setValue(root!, 0, root!);
    expect(() => sharingOf(pool).add(root!)).toThrow('has more than 32 nodes above its leaves');
  });

  test('a child outside the device, and one that cannot be read', () => {
    const pool = deep();
    const [root] = pool.children(pool.mappingRoot);
    pool.setValue(root!, 1, 99_999);
    expect(() => sharingOf(pool).add(root!)).toThrow('is outside the device');
    pool.spoil(root!);
    expect(() => sharingOf(pool).add(root!)).toThrow('csum');
  });
});
