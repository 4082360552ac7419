import { describe, expect, test } from 'vitest';
import { makeCache } from '../../../../test/structures/cache-fixture.ts';
import type { Finding } from '../base/index.ts';
import { CACHE_DAMAGES, type CacheDamage, damageCache, Random } from '../testing/index.ts';
import { CacheCheck, checkCache } from './check.ts';
import { BlockBits } from './check-arrays.ts';
import { checkSuperblock } from './check-superblock.ts';
import { CacheMetadata } from './metadata.ts';

/** What is found after damage: the first finding's severity and code. */
const WANTED: Readonly<Record<CacheDamage, RegExp>> = {
  leak: /^leak space-map.leak Bad reference count for metadata block \d+\. {2}Expected 0, but space map contains 1/,
  badCount: /^fatal space-map.count /,
  lostMappings: /^fatal array.block /,
  lostHints: /^fatal array.block /,
  lostDirtyBits: /^fatal array.block /,
  lostDiscards: /^fatal array.block /,
  lostNode: /^fatal btree.node /,
  bitRot: /^fatal (btree.node|array.block) /,
  wrongRoot: /^fatal array\.(gap|geometry) /,
  unknownFlags: /^fatal cache.flags cache block \d+: unknown flags in mapping: 8/,
  dirtyUnmapped: /^fatal cache.(dirty|flags) cache block \d+: (dirty bit found on an unmapped block|unknown flags)/,
  mappedTwice: /^fatal cache.twice cache block \d+: origin block \d+ already mapped/,
  beyondOrigin: /^fatal cache.beyond-origin cache block \d+: mapping beyond end of the origin device/,
  tooShort: /^fatal array\./,
  needsCheck: /^$/,
  unclean: /^$/,
  hintWidth: /^fatal cache.hint-size .*policyHintSize is 8/,
  feature: /^fatal cache.feature .*incompatFlags is 4/,
  version: /^fatal cache.version unsupported metadata version 3/,
};

/** With discards, so that the size of the origin is known. */
function cacheWithDiscards(version: 1 | 2) {
  const device = makeCache(version);
  const cache = CacheMetadata.open(device);
  const dirty = new Set<number>();
  cache.loadMappings((block, _origin, isDirty) => {
    if (isDirty) dirty.add(block);
  });
  const discards = { blockSizeSectors: 128, nrBlocks: 4000, isDiscarded: (region: number) => region % 7 === 0 };
  expect(cache.shutDown({ isDirty: (block) => dirty.has(block), discards })).toEqual([]);
  return device;
}

describe.each([1, 2] as const)('version %i', (version) => {
  test('a sound cache: nothing is found, and all is counted', () => {
    const check = new CacheCheck(cacheWithDiscards(version));
    expect([...check.run()]).toEqual([]);
    expect(check.nrMapped).toBe(1200);
    expect(check.nrDirty).toBeGreaterThan(300);
    expect(check.needsRepair).toBe(false);
    expect(() => new CacheCheck(makeCache()).repair()).toThrow(/did not come to its end/);
  });

  test.each(CACHE_DAMAGES)('damage of kind %s is found', (kind) => {
    for (let seed = 1; seed <= 6; seed++) {
      const device = cacheWithDiscards(version);
      const done = damageCache(device, kind, new Random(seed));
      if (done === undefined) {
        expect(`${version} ${kind}`).toBe('1 lostDirtyBits');
        continue;
      }
      const found = [...checkCache(device)].find(({ severity }) => severity !== 'warning');
      const text = found === undefined ? '' : `${found.severity} ${found.code} ${found.message}`;
      expect(text, `${done}, seed ${seed}`).toMatch(WANTED[kind]);
    }
  });

  test('leaks and needs_check are repaired in place', () => {
    const device = cacheWithDiscards(version);
    const random = new Random(3);
    for (const kind of ['leak', 'leak', 'needsCheck'] as const) damageCache(device, kind, random);
    const check = new CacheCheck(device);
    expect([...check.run()].map(({ severity }) => severity).sort()).toEqual(['leak', 'leak', 'warning']);
    expect(check.needsRepair).toBe(true);
    expect(check.repair()).toEqual({ nrMetadataLeaks: 2, clearedNeedsCheck: true });
    const again = new CacheCheck(device);
    expect([...again.run()].filter(({ severity }) => severity !== 'warning')).toEqual([]);
    expect(again.needsRepair).toBe(false);
  });
});

test('parts that are left out are not looked at', () => {
  const damaged = (kind: CacheDamage) => {
    const device = makeCache();
    damageCache(device, kind, new Random(1));
    return device;
  };
  const found = (findings: Iterable<Finding>) => [...findings].length;
  expect(found(checkCache(damaged('lostMappings'), { skipMappings: true }))).toBe(0);
  expect(found(checkCache(damaged('lostHints'), { skipHints: true }))).toBe(0);
  expect(found(checkCache(damaged('leak'), { skipDiscards: true }))).toBe(0);
  expect(found(checkCache(damaged('lostMappings'), { superblockOnly: true }))).toBe(0);
  const phases: string[] = [];
  const progress: number[] = [];
  const options = { onPhase: (phase: string) => phases.push(phase), onProgress: (done: number) => progress.push(done) };
  expect(found(checkCache(makeCache(), options))).toBe(0);
  expect(phases).toEqual(['superblock', 'mappings', 'dirty-bits', 'hints', 'discards', 'metadata-space-map']);
  expect(progress.length).toBeGreaterThan(3);
});

test('policies that are not known are a warning, roots outside the device fatal', () => {
  const { superblock } = (() => {
    const check = new CacheCheck(makeCache());
    expect([...check.run()]).toEqual([]);
    return check;
  })();
  const codes = (changes: object): string[] =>
    [...checkSuperblock({ ...superblock!, ...changes }, 128)].map(({ severity, code }) => `${severity} ${code}`);
  const policy = superblock!.policy;
  expect(codes({ policy: { ...policy, name: 'foo' } })).toEqual(['warning cache.policy']);
  expect(codes({ policy: { ...policy, name: 'f\xff' } })).toEqual(['fatal cache.policy']);
  expect(codes({ mappingRoot: 5000, hintRoot: 128 })).toEqual(['fatal block.outside', 'fatal block.outside']);
  expect(codes({ dirtyRoot: 0 })).toEqual(['fatal cache.dirty']);
  expect(codes({ dataBlockSize: 100 })).toEqual(['warning cache.block-size']);
});

test('bits of blocks', () => {
  const bits = new BlockBits();
  for (const block of [0, 31, 32, 100_000]) bits.set(block);
  expect([0, 1, 31, 32, 100_000, 1e9].map((block) => bits.has(block))).toEqual([true, false, true, true, true, false]);
});
