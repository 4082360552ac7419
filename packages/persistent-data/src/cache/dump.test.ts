import { describe, expect, test } from 'vitest';
import { makeCache } from '../../../../test/structures/cache-fixture.ts';
import { CorruptionError, NoSpaceError, StateError, UnsupportedError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { damageCache, Random } from '../testing/index.ts';
import { checkCache } from './check.ts';
import { dumpCacheXml } from './dump.ts';
import { CacheReader } from './read-arrays.ts';
import { previewCacheRepair, repairCache } from './repair.ts';
import { CacheRestore, restoreCacheXml } from './restore.ts';

const count = (text: string, part: string): number => text.split(part).length - 1;

function damaged(kind: Parameters<typeof damageCache>[1], version: 1 | 2 = 2, seed = 1): MemoryDevice {
  const device = makeCache(version);
  expect(damageCache(device, kind, new Random(seed))).toBeDefined();
  return device;
}

describe.each([1, 2] as const)('version %i', (version) => {
  test('dumps, restored in the other version, dumps the same', () => {
    const xml = dumpCacheXml(makeCache(version));
    expect(count(xml, '<mapping ')).toBe(1200);
    expect(count(xml, 'dirty="true"')).toBeGreaterThan(300);
    const other = new MemoryDevice({ nrBlocks: 64 });
    restoreCacheXml(other, xml, { version: version === 1 ? 2 : 1 });
    expect([...checkCache(other)]).toEqual([]);
    expect(dumpCacheXml(other)).toBe(xml);
  });

  test('a block of mappings that is lost costs its cache blocks and no other', () => {
    const device = damaged('lostMappings', version);
    expect(() => dumpCacheXml(device)).toThrow(CorruptionError);
    const whole = dumpCacheXml(makeCache(version)).split('\n');
    const preview = previewCacheRepair(device);
    const [part] = preview.lost;
    expect(part).toMatchObject({ kind: 'mappings' });
    expect(part!.end - part!.begin).toBe(509);
    const isLost = (line: string): boolean => {
      const block = Number(/cache_block="(\d+)"/.exec(line)?.[1] ?? -1);
      return block >= part!.begin && block < part!.end;
    };
    const target = new MemoryDevice({ nrBlocks: 64 });
    expect(repairCache(device, target)).toEqual(preview);
    expect(dumpCacheXml(target).split('\n')).toEqual(whole.filter((line) => !isLost(line)));
    expect([...checkCache(target)]).toEqual([]);
  });

  test('an origin block that is mapped twice stays where it is first', () => {
    const device = damaged('mappedTwice', version, 3);
    const preview = previewCacheRepair(device);
    expect(preview).toMatchObject({ nrMappings: 1199, nrLeftOut: 1, lost: [] });
    expect(preview.leftOut[0]!.why).toBe('twice');
    const target = new MemoryDevice({ nrBlocks: 64 });
    repairCache(device, target);
    expect([...checkCache(target)]).toEqual([]);
  });

  test('hints that are lost cost no mapping', () => {
    const device = damaged('lostHints', version);
    const preview = previewCacheRepair(device);
    expect(preview.nrMappings).toBe(1200);
    expect(preview.lost.map(({ kind }) => kind)).toEqual(['hints']);
    expect(preview.nrHints).toBeLessThan(1200);
  });
});

test('blocks whose dirty bits are lost are dirty', () => {
  const xml = dumpCacheXml(damaged('lostDirtyBits'), { repair: {} });
  expect(count(xml, 'dirty="true"')).toBe(1200);
});

test('without the root of the mappings, or the superblock, there is nothing to repair; and nothing is written', () => {
  const target = new MemoryDevice({ nrBlocks: 64 });
  for (const victim of ['mappingRoot', 'superblock'] as const) {
    const device = makeCache();
    const { mappingRoot } = new CacheReader(device).superblock;
    device.write(victim === 'superblock' ? 0 : mappingRoot, [new Uint8Array(4096)]);
    expect(() => repairCache(device, target)).toThrow(CorruptionError);
  }
  expect(() => repairCache(damaged('version'), target)).toThrow(UnsupportedError);
  expect(target.toBytes().every((byte) => byte === 0)).toBe(true);
});

test('a wrong checksum of the superblock is called as the tools call it', () => {
  const device = makeCache();
  const block = new Uint8Array(4096);
  device.read(0, [block]);
  block[300] = 1;
  device.write(0, [block]);
  expect(() => dumpCacheXml(device)).toThrow('bad checksum in superblock');
});

test('what was not shut down in order stays so', () => {
  const device = makeCache(2, {}, { omitCleanShutdown: true });
  expect(previewCacheRepair(device).cleanShutdown).toBe(false);
  const target = new MemoryDevice({ nrBlocks: 64 });
  repairCache(device, target);
  expect(new CacheReader(target).superblock.flags).toBe(0);
});

test('an unfinished restore is no cache, nor is what it overwrote', () => {
  const device = makeCache();
  const restore = new CacheRestore(device);
  restore.superblockBegin({ uuid: '', blockSize: 128, nrCacheBlocks: 10, policy: 'smq', hintWidth: 4 });
  expect(() => dumpCacheXml(device)).toThrow('bad checksum in superblock');
  expect(() => restore.hintsBegin()).toThrow(StateError);
  restore.mappingsBegin();
  restore.mapping(3, 7, true);
  expect(() => restore.mapping(3, 8, true)).toThrow(RangeError);
  expect(() => restore.mapping(10, 8, true)).toThrow(RangeError);
  expect(() => restore.mapping(4, 2 ** 48, true)).toThrow(RangeError);
});

test('a cache that the device has no room for is refused before anything is written', () => {
  const device = makeCache();
  const before = device.toBytes();
  const begin = (changes: object) => () =>
    new CacheRestore(device).superblockBegin({
      ...{ uuid: '', blockSize: 128, nrCacheBlocks: 10, policy: 'smq', hintWidth: 4 },
      ...changes,
    });
  expect(begin({ nrCacheBlocks: 2 ** 32 - 1 })).toThrow(NoSpaceError);
  expect(begin({ blockSize: 63 })).toThrow(RangeError);
  expect(begin({ policy: 'a'.repeat(16) })).toThrow(RangeError);
  expect(begin({ hintWidth: 8 })).toThrow(RangeError);
  expect(device.toBytes()).toEqual(before);
});
