import { describe, expect, test } from 'vitest';
import { makePool, type PoolShape, SNAPSHOT_POOL, steps } from '../../../../test/structures/pools.ts';
import { SickPool } from '../../../../test/structures/sick-pool.ts';
import { type Finding, isFatal } from '../base/index.ts';
import {
  BITMAP_VALIDATOR,
  NODE_VALIDATOR,
  readSpaceMapRoot,
  setBitmapCount,
  THIN_SUPERBLOCK,
} from '../format/index.ts';
import {
  type CountedSpaceMap,
  type CountFinding,
  compareCounts,
  countDataSpaceMap,
  countMetadataSpaceMap,
  repairLeaks,
} from './check-space-map.ts';
import { ReferenceCounter } from './reference-counter.ts';
import { TreeChecker } from './tree-checker.ts';

/** Devices that share leaves and data, so that counts above two are there: of data blocks and of leaves. */
const SHARED_POOL: PoolShape = {
  devices: [
    { id: 0, mapped: steps(0, 600, 2) },
    { id: 1, origin: 0, mapped: [0, 300] },
    { id: 2, origin: 0, mapped: [2, 302] },
    { id: 3, origin: 0, mapped: [4, 304] },
    { id: 4, origin: 0, mapped: [] },
    { id: 5, mapped: steps(0, 9) },
    { id: 6, origin: 5, mapped: [0] },
  ],
};

interface Looked {
  readonly findings: Finding[];
  readonly checker: TreeChecker;
  readonly map: CountedSpaceMap;
}

/** Reads one space map of a pool and compares it with counts that are all 0: so every record is a finding. */
function look(pool: SickPool, space: 'data' | 'metadata', counts = new ReferenceCounter(2 ** 20)): Looked {
  const checker = new TreeChecker(pool.device);
  const root = pool.spaceMap(space);
  const count = space === 'data' ? countDataSpaceMap(checker, root) : countMetadataSpaceMap(checker, root);
  const findings: Finding[] = [];
  let step = count.next();
  for (; !step.done; step = count.next()) findings.push(step.value);
  findings.push(...compareCounts(checker, step.value, counts));
  return { findings, checker, map: step.value };
}

const sick = (shape = SHARED_POOL): SickPool => new SickPool(makePool(shape));

test('each record is compared: 1, 2, and more in the reference-count tree', () => {
  const pool = sick();
  const { findings, checker } = look(pool, 'data');
  const recorded = (findings as CountFinding[]).map((finding) => [finding.counted, finding.recorded]);
  const histogram = new Map<number, number>();
  for (const [, count] of recorded) histogram.set(count!, (histogram.get(count!) ?? 0) + 1);
  expect([...histogram.keys()].sort()).toEqual([1, 2, 3, 4]);
  expect(findings.filter(({ severity }) => severity === 'leak')).toHaveLength(histogram.get(1)!);
  expect(checker.counts.count(pool.bitmap('data'))).toBe(1);
});

test('what is recorded as it is counted is no finding', () => {
  const pool = sick();
  const counts = new ReferenceCounter(2 ** 20);
  for (const finding of look(pool, 'data').findings as CountFinding[]) {
    for (let i = 0; i < finding.recorded; i++) counts.inc(finding.counted);
  }
  expect(look(pool, 'data', counts).findings).toEqual([]);
});

test('a metadata space map counts its own blocks', () => {
  const pool = sick();
  const { checker, map } = look(pool, 'metadata');
  const own = [map.root.bitmapRoot, map.root.refCountRoot, ...map.bitmaps];
  expect(own.map((block) => checker.counts.count(block))).toEqual(own.map(() => 1));
});

describe('a space map that cannot be read in full', () => {
  const damages: [string, string, 'data' | 'metadata', (pool: SickPool) => void][] = [
    ['a bitmap', 'block.content', 'data', (pool) => pool.spoil(pool.bitmap('data'))],
    ['a bitmap of metadata', 'block.content', 'metadata', (pool) => pool.spoil(pool.bitmap('metadata'))],
    ['the index block', 'block.content', 'metadata', (pool) => pool.spoil(pool.spaceMap('metadata').bitmapRoot)],
    ['the index tree', 'btree.node', 'data', (pool) => pool.spoil(pool.spaceMap('data').bitmapRoot)],
    ['the reference-count tree', 'btree.node', 'data', (pool) => pool.spoil(pool.spaceMap('data').refCountRoot)],
    [
      'an entry for another bitmap',
      'space-map.index',
      'data',
      (pool) => pool.setKey(pool.spaceMap('data').bitmapRoot, 1, 5),
    ],
    ['a bitmap used twice', 'block.shared', 'data', twoEntriesForOneBitmap],
    ['a bitmap outside the device', 'block.outside', 'data', (pool) => setIndexEntry(pool, 1, 50_000)],
    [
      'a missing entry',
      'space-map.index',
      'data',
      (pool) => pool.setField(pool.spaceMap('data').bitmapRoot, 'nrEntries', 1),
    ],
    ['a bitmap of metadata that is not there', 'block.outside', 'metadata', noMetadataBitmap],
  ];
  test.each(damages)('for %s', (_, code, space, damage) => {
    const pool = sick();
    damage(pool);
    const { findings } = look(pool, space);
    expect(
      findings.filter(({ code: found }) => !found.startsWith('space-map.count') && found !== 'space-map.leak'),
    ).toEqual(expect.arrayContaining([expect.objectContaining({ severity: 'fatal', code })]));
  });

  function setIndexEntry(pool: SickPool, index: number, block: number): void {
    const { bitmapRoot } = pool.spaceMap('data');
    pool.reseal(bitmapRoot, NODE_VALIDATOR, (view) => view.setUint32(1376 + 16 * index, block, true));
  }
  function twoEntriesForOneBitmap(pool: SickPool): void {
    setIndexEntry(pool, 1, pool.bitmap('data'));
  }
  function noMetadataBitmap(pool: SickPool): void {
    pool.edit(pool.spaceMap('metadata').bitmapRoot, (view) => view.setUint32(16, 60_000, true));
  }
});

test('a size beyond the device, or of no believable data device, is fatal and costs nothing', () => {
  const pool = sick();
  pool.setSuperblock((view) => {
    view.setUint32(THIN_SUPERBLOCK.offset('metadataSpaceMapRoot'), 2000, true);
    view.setBigUint64(THIN_SUPERBLOCK.offset('dataSpaceMapRoot'), 2n ** 60n, true);
  });
  pool.read(0);
  expect(readSpaceMapRoot(pool.slab.words, THIN_SUPERBLOCK.word('dataSpaceMapRoot')).nrBlocks).toBe(2 ** 60);
  expect(look(pool, 'metadata').findings.map(({ code }) => code)).toContain('space-map.size');
  expect(look(pool, 'data').findings.map(({ code }) => code)).toContain('space-map.index');
});

describe('the rule of counts from three on', () => {
  test('a field of 3 has an entry', () => {
    const pool = sick();
    pool.setCount('data', 700, 3);
    const [finding] = look(pool, 'data').findings.filter(({ code }) => code === 'space-map.ref-count');
    expect(finding!.message).toContain('data block 700.  Expected 0, but the reference-count tree has no entry');
  });

  test('an entry has a field of 3', () => {
    const pool = sick();
    const [key] = pool.keys(pool.spaceMap('data').refCountRoot);
    pool.setCount('data', key!, 2);
    expect(look(pool, 'data').findings.filter(({ code }) => code === 'space-map.ref-count')).toHaveLength(1);
  });

  test('an entry is three or more, and of a block in the space', () => {
    const pool = sick();
    const { refCountRoot } = pool.spaceMap('data');
    pool.reseal(refCountRoot, NODE_VALIDATOR, (view) => view.setUint32(2720, 2, true));
    const found = look(pool, 'data').findings.filter(({ code }) => code === 'space-map.ref-count');
    expect(found[0]!.message).toContain('is 2, 3 or more');
  });
});

test('a bitmap that cannot be read says nothing of the reference-count tree', () => {
  const pool = sick();
  pool.spoil(pool.bitmap('data'));
  expect(look(pool, 'data').findings.map(({ code }) => code)).toEqual(['block.content']);
});

test('counts beyond the end are a warning', () => {
  const pool = sick({ ...SNAPSHOT_POOL, nrDataBlocks: 1000 });
  pool.reseal(pool.bitmap('data'), BITMAP_VALIDATOR, () => setBitmapCount(pool.slab.words, 0, 1001, 1));
  const { findings } = look(pool, 'data');
  expect(findings.filter(({ code }) => code === 'space-map.beyond-end')).toMatchObject([{ severity: 'warning' }]);
});

test('`isLowerBound` silences records that are higher, not those that are lower', () => {
  const pool = sick();
  const checker = new TreeChecker(pool.device);
  const { map } = look(pool, 'data');
  const counts = new ReferenceCounter(2 ** 20);
  for (let i = 0; i < 9; i++) counts.inc(0);
  const findings = [...compareCounts(checker, map, counts, { isLowerBound: true })].filter(isFatal);
  expect(findings).toMatchObject([{ counted: 0, expected: 9 }]);
});

test('`repairLeaks()` sets records of 1 to 0 where nothing refers, and leaves all others', () => {
  const pool = sick();
  const { checker, map, findings } = look(pool, 'data');
  const nrLeaks = findings.filter(({ severity }) => severity === 'leak').length;
  expect(repairLeaks(checker, map, new ReferenceCounter(2 ** 20))).toBe(nrLeaks);
  const left = look(pool, 'data').findings;
  expect(left.filter(({ severity }) => severity === 'leak')).toEqual([]);
  expect(left.filter(isFatal)).toHaveLength(findings.filter(isFatal).length);
});
