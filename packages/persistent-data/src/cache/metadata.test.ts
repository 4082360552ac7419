import { describe, expect, test } from 'vitest';
import { CorruptionError, ReadOnlyError, StateError, UnsupportedError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { damageCache, FaultDevice, Random } from '../testing/index.ts';
import { CacheCore } from './cache-core.ts';
import { managerOptions } from './cache-options.ts';
import { checkCache } from './check.ts';
import { writeDirtyBits } from './dirty-bits.ts';
import { discardBlockSizeFor } from './discards.ts';
import { dumpCacheXml } from './dump.ts';
import { loadMappings } from './load-mappings.ts';
import { CacheMetadata } from './metadata.ts';
import { NO_POLICY, SMQ_POLICY } from './policy.ts';
import { CacheReader } from './read-arrays.ts';
import { resizeCache } from './resize.ts';
import { originBlocks } from './superblock.ts';

function newCache(version: 1 | 2 = 2, cacheBlocks = 100) {
  const device = new MemoryDevice({ nrBlocks: 256 });
  const cache = CacheMetadata.format(device, { dataBlockSizeSectors: 128, version });
  cache.resize(cacheBlocks);
  cache.commit();
  return { device, cache };
}

function loaded(cache: CacheMetadata, options = {}): string[] {
  const found: string[] = [];
  cache.loadMappings((block, origin, dirty, hint, hintValid) => {
    found.push(`${block}=${origin}${dirty ? '!' : ''}${hintValid ? ` hint ${hint}` : ''}`);
  }, options);
  return found;
}

const sound = (device: MemoryDevice): void => expect([...checkCache(device)]).toEqual([]);

describe.each([1, 2] as const)('version %i', (version) => {
  test('mappings are inserted, replaced and removed; nothing is durable before a commit', () => {
    const { device, cache } = newCache(version);
    cache.insert(3, 700);
    cache.insert(99, 2 ** 48 - 1);
    cache.insert(5, 1);
    cache.insert(5, 2);
    cache.insert(6, 3);
    cache.remove(6);
    expect(cache.mapping(5)).toEqual({ originBlock: 2, dirty: false });
    expect(cache.mapping(6)).toBeUndefined();
    expect(loaded(cache)).toEqual(['3=700', '5=2', `99=${2 ** 48 - 1}`]);
    expect(dumpCacheXml(device)).not.toContain('<mapping ');
    cache.commit();
    expect(cache.changedThisTransaction).toBe(false);
    expect(dumpCacheXml(device).match(/<mapping /g)).toHaveLength(3);
    sound(device);
    cache.remove(3);
    cache.rollback();
    expect(loaded(cache)).toHaveLength(3);
    expect(() => cache.insert(100, 1)).toThrow(RangeError);
    expect(() => cache.insert(1, 2 ** 48)).toThrow(RangeError);
    expect(() => cache.mapping(-1)).toThrow(RangeError);
  });

  test('an orderly end keeps dirty bits, hints, discards and statistics; anything else keeps mappings alone', () => {
    const { device, cache } = newCache(version);
    for (const block of [3, 70, 99]) cache.insert(block, 10 * block);
    cache.commit();
    const statistics = { readHits: 1, readMisses: 2, writeHits: 3, writeMisses: 4 };
    const discards = { blockSizeSectors: 256, nrBlocks: 700, isDiscarded: (region: number) => region % 640 === 3 };
    const isDirty = (block: number): boolean => block !== 3;
    expect(cache.shutDown({ isDirty, statistics, discards, hintAt: (block) => block % 64 })).toEqual([]);
    sound(device);
    expect(originBlocks(new CacheReader(device).superblock)).toBe(1400);
    const again = CacheMetadata.open(device);
    expect(again).toMatchObject({ cleanWhenOpened: true, policy: SMQ_POLICY, statistics, cacheBlocks: 100, version });
    expect(loaded(again)).toEqual(['3=30 hint 3', '70=700! hint 6', '99=990! hint 35']);
    expect(loaded(again, { policy: { ...SMQ_POLICY, name: 'cleaner', hintSize: 0 } })[0]).toBe('3=30');
    const regions: number[] = [];
    again.loadDiscards((region) => regions.push(region));
    expect(regions).toEqual([3, 643]);
    expect(again.isAllClean).toBe(false);
    // It was opened and not closed.
    const crashed = CacheMetadata.open(device);
    expect(crashed.cleanWhenOpened).toBe(false);
    expect(loaded(crashed)).toEqual(['3=30!', '70=700!', '99=990!']);
    crashed.loadDiscards(() => expect.unreachable());
    expect(() => again.loadMappings(() => undefined, { originBlocks: 900 })).toThrow(
      /origin block 990, the origin has 900/,
    );
  });

  test('a policy without hints has none, and hints of another are dropped', () => {
    const { device, cache } = newCache(version);
    cache.insert(1, 1);
    cache.shutDown({ isDirty: () => true });
    const again = CacheMetadata.open(device);
    const cleaner = { name: 'cleaner', version: [1, 0, 0], hintSize: 0 } as const;
    expect(again.shutDown({ isDirty: () => false, policy: cleaner })).toEqual([]);
    sound(device);
    const { superblock } = new CacheReader(device);
    expect([superblock.hintRoot, superblock.policy]).toEqual([0, cleaner]);
    expect(loaded(CacheMetadata.open(device))).toEqual(['1=1']);
  });

  test('shrinking refuses dirty blocks, and after a crash mapped ones; growing finds new blocks empty and clean', () => {
    const { device, cache } = newCache(version, 1000);
    cache.insert(990, 5);
    cache.insert(400, 6);
    cache.shutDown({ isDirty: (block) => block === 990 });
    const again = CacheMetadata.open(device);
    expect(() => again.resize(700)).toThrow(/unable to shrink cache due to dirty blocks: cache block 990/);
    expect(again.changedThisTransaction && again.core.tm.broken === undefined).toBe(true);
    again.resize(991);
    again.remove(990);
    again.resize(401);
    expect(() => again.resize(400, (block) => block === 400)).toThrow(StateError);
    again.resize(1500);
    again.commit();
    // The hints are for a thousand blocks still.
    sound(device);
    expect(dumpCacheXml(device).match(/<hint /g)).toHaveLength(1);
    again.insert(990, 7);
    expect(loaded(again)).toEqual(['400=6 hint 0', '990=7 hint 0']);
    again.commit();
    const crashed = CacheMetadata.open(device);
    expect(() => crashed.resize(500)).toThrow(/cache block 990 is dirty/);
    crashed.resize(991);
    expect(() => crashed.resize(-1)).toThrow(RangeError);
  });

  test('a removed block takes its stored dirty bit with it', () => {
    const { device, cache } = newCache(version);
    cache.insert(7, 7);
    cache.shutDown({ isDirty: () => true });
    const again = CacheMetadata.open(device);
    again.remove(7);
    again.commit();
    sound(device);
    again.insert(7, 8);
    expect(again.mapping(7)).toEqual({ originBlock: 8, dirty: false });
  });

  test('a blank device is formatted when that is asked for, in that version', () => {
    const device = new MemoryDevice({ nrBlocks: 64 });
    expect(() => CacheMetadata.open(device)).toThrow(CorruptionError);
    expect(() => CacheMetadata.open(device, { formatBlank: version })).toThrow(/no block size/);
    const cache = CacheMetadata.open(device, { formatBlank: version, dataBlockSizeSectors: 64 });
    expect(cache).toMatchObject({ version, dataBlockSizeSectors: 64, cacheBlocks: 0, policy: NO_POLICY });
    expect(loaded(cache)).toEqual([]);
    sound(device);
    cache.close();
    const other = CacheMetadata.open(device, { formatBlank: 1, dataBlockSizeSectors: 64 });
    expect(other.version).toBe(version);
    expect(() => CacheMetadata.format(device, { dataBlockSizeSectors: 100 })).toThrow(RangeError);
  });
});

test('hints that cannot be read are unknown from there on', () => {
  const { device, cache } = newCache(2, 3000);
  for (let block = 0; block < 3000; block += 100) cache.insert(block, block);
  cache.shutDown({ isDirty: () => false, hintAt: () => 5 });
  damageCache(device, 'lostHints', new Random(2));
  const again = CacheMetadata.open(device);
  const found = loaded(again);
  expect(found).toHaveLength(30);
  const nrHints = found.filter((text) => text.includes('hint')).length;
  expect(nrHints).toBeLessThan(30);
  expect(found.slice(0, nrHints).every((text) => text.includes('hint 5'))).toBe(true);
  loadMappings(
    again.core,
    { believesDirty: true, believesHints: false, originBlocks: 3000 },
    (_b, _o, dirty, hint, valid) => {
      expect([dirty, hint, valid]).toEqual([false, 0, false]);
    },
  );
});

test('versions, features and hints that are not known are refused', () => {
  for (const kind of ['version', 'feature', 'hintWidth'] as const) {
    const { device } = newCache();
    damageCache(device, kind, new Random(1));
    expect(() => CacheMetadata.open(device)).toThrow(UnsupportedError);
  }
  const { device } = newCache();
  damageCache(device, 'wrongRoot', new Random(1));
  expect(() => CacheMetadata.open(device, { dataBlockSizeSectors: 256 })).toThrow(/128 sectors, 256 are wanted/);
  expect(() => newCache().cache.writeHints({ ...SMQ_POLICY, name: 'a'.repeat(16) }, () => 0)).toThrow(RangeError);
  expect(() => newCache().cache.writeHints({ ...SMQ_POLICY, hintSize: 8 }, () => 0)).toThrow(/8 bytes/);
});

test('after a failure: needs_check is set, and it is read-only until a check takes it away', () => {
  const { device, cache } = newCache();
  cache.insert(1, 1);
  cache.commit();
  cache.insert(2, 2);
  expect(() => cache.setNeedsCheck()).toThrow(StateError);
  expect(cache.abort()).toBe('read-only');
  expect(cache.mode).toBe('read-only');
  expect(loaded(cache)).toEqual(['1=1']);
  expect(() => cache.insert(2, 2)).toThrow(/it has to be checked first/);
  const again = CacheMetadata.open(device);
  expect(again.needsCheck).toBe(true);
  expect(again.mode).toBe('read-only');
  expect(() => again.commit()).toThrow(ReadOnlyError);
});

test('a device that fails leaves nothing to do but to open again', () => {
  const inner = new MemoryDevice({ nrBlocks: 256 });
  const device = new FaultDevice(inner);
  const cache = CacheMetadata.format(device, { dataBlockSizeSectors: 128 });
  cache.resize(50);
  cache.commit();
  cache.insert(1, 1);
  device.inject({ kind: 'error', call: 'flush', at: device.calls.flush });
  expect(() => cache.commit()).toThrow();
  expect(cache.abort()).toBe('fail');
  expect(cache.mode).toBe('fail');
  expect(() => cache.mapping(1)).toThrow(ReadOnlyError);
  sound(inner);
});

test('closing commits, and ends', () => {
  const { device, cache } = newCache();
  cache.insert(4, 4);
  cache.close();
  cache.close();
  expect(() => cache.insert(5, 5)).toThrow(StateError);
  expect(() => cache.rollback()).toThrow(StateError);
  expect(dumpCacheXml(device)).toContain('cache_block="4"');
  const readOnly = CacheMetadata.open(device, { readOnly: true });
  expect(() => readOnly.insert(1, 1)).toThrow(ReadOnlyError);
  expect(CacheCore.isBlank(device)).toBe(false);
});

test('regions of discards: cache blocks, doubled while there are more than 2^14', () => {
  expect(discardBlockSizeFor(128, 128 * 2 ** 14)).toBe(128);
  expect(discardBlockSizeFor(128, 128 * 2 ** 14 + 1)).toBe(256);
  expect(discardBlockSizeFor(128, 128 * 2 ** 20)).toBe(128 * 64);
});

test('the steps alone: dirty bits of mapped blocks, a cache that loses nothing, a cache of metadata', () => {
  const { cache } = newCache(1);
  cache.insert(9, 9);
  writeDirtyBits(cache.core, () => true);
  expect(cache.mapping(9)?.dirty).toBe(true);
  expect(cache.mapping(10)).toBeUndefined();
  expect(() => resizeCache(cache.core, 5, () => false)).toThrow(/cache block 9 is dirty/);
  resizeCache(cache.core, 10, () => false);
  expect(cache.cacheBlocks).toBe(10);
  expect(managerOptions({})).toEqual({ cacheBlocks: 4096 });
  expect(managerOptions({ cacheBlocks: 64, readOnly: true })).toEqual({ cacheBlocks: 64, readOnly: true });
});
