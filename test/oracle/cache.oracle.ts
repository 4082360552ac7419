/**
 * A real kernel opens cache metadata that we wrote, reads through it, writes, and shuts it down; and we accept what it leaves. Blocks that we called
 * dirty are read from the fast device. Slow: `npm run test:oracle`.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CacheMetadata,
  checkCache,
  detachReport,
  dumpCacheXml,
  repairCache,
  restoreCacheXml,
} from 'persistent-data/cache';
import { MemoryDevice } from 'persistent-data/io';
import { damageCache, Random } from 'persistent-data/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OracleResult, oracleInstalled, runOracle } from './oracle.ts';

const folder = mkdtempSync(join(tmpdir(), 'pdata-oracle-cache-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SECTORS = 64;
const BLOCK = SECTORS * 512;
const NR_CACHE = 600;
const NR_ORIGIN = 800;

/** A third of the cache is mapped, half of that dirty. */
function created(version: 1 | 2, isOrderly: boolean): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 256 });
  const cache = CacheMetadata.format(device, { version, dataBlockSizeSectors: SECTORS });
  cache.resize(NR_CACHE);
  for (let block = 0; block < NR_CACHE; block += 3) cache.insert(block, NR_ORIGIN - 1 - block);
  cache.commit();
  const discards = { blockSizeSectors: SECTORS, nrBlocks: NR_ORIGIN, isDiscarded: () => false };
  if (isOrderly) {
    expect(cache.shutDown({ isDirty: (block) => block % 2 === 0, discards, hintAt: (block) => block % 64 })).toEqual(
      [],
    );
  }
  return device;
}

function restored(version: 1 | 2): MemoryDevice {
  const device = new MemoryDevice({ nrBlocks: 256 });
  restoreCacheXml(device, dumpCacheXml(created(version === 1 ? 2 : 1, true)), { version });
  return device;
}

function repaired(): MemoryDevice {
  const sick = created(2, true);
  damageCache(sick, 'lostHints', new Random(1));
  const device = new MemoryDevice({ nrBlocks: 256 });
  repairCache(sick, device);
  return device;
}

const CASES: readonly (readonly [name: string, version: 1 | 2, write: () => MemoryDevice])[] = [
  ['version 1', 1, () => created(1, true)],
  ['version 2', 2, () => created(2, true)],
  ['version 2, left by a crash', 2, () => created(2, false)],
  ['version 1, restored', 1, () => restored(1)],
  ['version 2, restored', 2, () => restored(2)],
  ['version 2, repaired', 2, repaired],
];

/** A device whose blocks tell where they are. */
function stamped(nrBlocks: number, stamp: number): Uint8Array {
  const bytes = new Uint8Array(nrBlocks * BLOCK);
  for (let b = 0; b < nrBlocks; b++) bytes.fill((stamp + b) % 251, b * BLOCK, (b + 1) * BLOCK);
  return bytes;
}

describe.skipIf(!oracleInstalled()).each(CASES)('a Linux kernel, given a cache of %s', (name, version, write) => {
  const path = (kind: string): string => join(folder, `${name}.${kind}`);
  let result: OracleResult;
  /** Origin blocks that only the fast device has. */
  let dirty: Map<number, number>;

  beforeAll(async () => {
    const device = write();
    expect([...checkCache(device)]).toEqual([]);
    dirty = new Map();
    CacheMetadata.open(device.fork()).loadMappings((block, origin, isDirty) => isDirty && dirty.set(origin, block));
    writeFileSync(path('meta'), device.toBytes());
    writeFileSync(path('fast'), stamped(NR_CACHE, 100));
    writeFileSync(path('origin'), stamped(NR_ORIGIN, 0));
    result = await runOracle({
      script: join(import.meta.dirname, 'guest/cache-roundtrip.sh'),
      disks: [path('meta'), path('fast'), path('origin')],
      env: {
        BLOCK: String(SECTORS),
        FEATURES: version === 2 ? 'writeback metadata2' : 'writeback',
        WRITES: '3-9 700-710',
        CLEAN: '1',
      },
    });
  }, 300_000);

  test('opens it, uses it and takes it down', () => {
    expect(result.status, result.output).toBe(0);
    expect(result.output).toContain('cache round trip: done');
  });

  test('leaves what our check accepts, with nothing dirty, and on the origin what was dirty', () => {
    const device = MemoryDevice.from(new Uint8Array(readFileSync(path('meta'))));
    expect([...checkCache(device)]).toEqual([]);
    expect(detachReport(device)).toMatchObject({ canBeDropped: true, cleanShutdown: true });
    const origin = readFileSync(path('origin'));
    const isWritten = (block: number): boolean => (block >= 3 && block <= 9) || (block >= 700 && block <= 710);
    for (let block = 0; block < NR_ORIGIN; block++) {
      if (isWritten(block)) continue;
      const cacheBlock = dirty.get(block);
      const wanted = cacheBlock === undefined ? block % 251 : (100 + cacheBlock) % 251;
      expect(origin[block * BLOCK + 77], `origin block ${block}`).toBe(wanted);
    }
  });
});
