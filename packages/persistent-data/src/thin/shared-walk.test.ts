import { expect, test } from 'vitest';
import { makePool, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { CorruptionError } from '../base/index.ts';
import { BlockManager } from '../block-manager/index.ts';
import { BlockScanner } from '../disk-space-map/index.ts';
import { DeviceSets } from './device-sets.ts';
import { dumpThinXml } from './dump.ts';
import { LeafSharing } from './leaf-sharing.ts';
import { walkShared } from './shared-walk.ts';
import { TreeSummaries } from './tree-summary.ts';

/** Two trees, each a root over leaves. All keys of the second are below the second leaf of the first. */
function twoTrees() {
  const pool = new SickPool(
    makePool({
      devices: [
        { id: 0, mapped: steps(0, 60_000, 100) },
        { id: 1, mapped: steps(0, 600) },
      ],
    }),
  );
  const [a, b] = pool.children(pool.mappingRoot) as [number, number];
  return { pool, a, b };
}

function walk(pool: SickPool, roots: readonly number[]): number {
  let nrLeaves = 0;
  walkShared(new BlockScanner(pool.device), roots, new DeviceSets(roots.length), () => {
    nrLeaves++;
  });
  return nrLeaves;
}

function sharing(pool: SickPool): LeafSharing {
  const blockManager = new BlockManager(pool.device, { cacheBlocks: 256, readOnly: true });
  return new LeafSharing({ blockManager, read: (block, validator) => blockManager.read(block, validator) });
}

test('each leaf is visited once', () => {
  const { pool, a, b } = twoTrees();
  const wanted = pool.children(a).length + pool.children(b).length;
  expect(walk(pool, [a, b])).toBe(wanted);
  expect(walk(pool, [a, b, a])).toBe(wanted);
});

test('a node where others of its depth have a leaf is found, alone and where it is also a root', () => {
  const { pool, a, b } = twoTrees();
  pool.setValue(a, 1, b);
  expect(() => walk(pool, [a])).toThrow(CorruptionError);
  expect(() => walk(pool, [a])).toThrow('is no leaf, others at its depth are');
  expect(() => walk(pool, [a, b])).toThrow('is at two depths');
});

test('a leaf where others have a node is found by all who walk', () => {
  const { pool, a, b } = twoTrees();
  pool.setValue(a, 0, b);
  expect(() => walk(pool, [a])).toThrow('is a leaf, others at its depth are not');
  expect(() => sharing(pool).add(a)).toThrow('is a leaf, less deep than others of its tree');
  expect(() => dumpThinXml(pool.device)).toThrow('is a leaf, less deep than others of its tree');
  expect(new TreeSummaries(new BlockScanner(pool.device)).of(a)).toBeUndefined();
  expect(new TreeSummaries(new BlockScanner(pool.device)).of(b)?.nrMappings).toBe(600);
});

test('a leaf of one tree that is a node of another is found', () => {
  const { pool, a, b } = twoTrees();
  pool.setValue(a, 0, b);
  pool.setValue(a, 1, pool.children(b)[0] as number);
  const both = sharing(pool);
  both.add(b);
  expect(() => both.add(a)).toThrow('is internal here, and elsewhere a leaf');
});

test('a sub-tree whose keys are not between those of its parent is found', () => {
  const { pool, a, b } = twoTrees();
  pool.setValue(a, 0, b);
  pool.setKey(a, 0, 50);
  pool.setField(a, 'nrEntries', 1);
  expect(() => dumpThinXml(pool.device)).toThrow(/has keys 0 to \d+, its parent wants 50 to below/);
});

test('a leaf of other values is found', () => {
  const { pool, a } = twoTrees();
  pool.setValue(a, 1, pool.detailsRoot);
  expect(() => walk(pool, [a])).toThrow('has values of 24 bytes, 8 are wanted');
});
