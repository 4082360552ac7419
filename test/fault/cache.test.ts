/** A cache's metadata on a disk that fails at any one call: what was committed stays, what failed says why, and nothing untyped is thrown. */

import { PersistentDataError } from 'persistent-data/base';
import { CacheMetadata, CacheRestore, dumpCacheXml, restoreCacheXml } from 'persistent-data/cache';
import { MemoryDevice } from 'persistent-data/io';
import { type CallKind, FaultDevice, generateCache, Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import {
  CachePlayer,
  describePlain,
  type PlainCache,
  problemsOf,
  readPlain,
  STEPS,
} from '../structures/cache-player.ts';

const NR_BLOCKS = 64;

/** Steps until something fails; answers the failure and what may be found then. */
function play(device: FaultDevice, version: 1 | 2): { failure: unknown; allowed: PlainCache[] } {
  const random = new Random(11);
  let allowed: PlainCache[] = [];
  let player: CachePlayer | undefined;
  try {
    player = new CachePlayer(device, random, version);
    player.play('resize');
    player.play('commit');
    for (let i = 0; i < 25; i++) {
      const step = random.pick(STEPS);
      allowed = [player.afterCrash, player.afterCommit, player.afterShutDown];
      player.play(step);
      allowed = [player.afterCrash, player.afterShutDown];
    }
    return { failure: undefined, allowed };
  } catch (failure) {
    if (player !== undefined) expect(['write', 'read-only', 'fail']).toContain(player.cache.abort());
    return { failure, allowed };
  }
}

const KINDS: readonly CallKind[] = ['read', 'write', 'flush'];

test.each([1, 2] as const)('version %i: one call fails', { timeout: 120_000 }, (version) => {
  const whole = new FaultDevice(new MemoryDevice({ nrBlocks: NR_BLOCKS }));
  expect(play(whole, version).failure).toBeUndefined();
  for (const call of KINDS) {
    const nrCalls = whole.calls[call];
    const stride = Math.max(1, Math.floor(nrCalls / 15));
    for (let at = 0; at < nrCalls; at += stride) {
      const disk = new MemoryDevice({ nrBlocks: NR_BLOCKS });
      const device = new FaultDevice(disk, { faults: [{ kind: 'error', call, at }] });
      const { failure, allowed } = play(device, version);
      if (failure === undefined) continue;
      expect(failure, `${call} ${at}`).toBeInstanceOf(PersistentDataError);
      // Of the first commits there may be nothing yet.
      if (allowed.length === 0) continue;
      expect(problemsOf(disk), `${call} ${at}`).toEqual([]);
      const found = describePlain(readPlain(CacheMetadata.open(disk)));
      expect(allowed.map(describePlain), `${call} ${at}`).toContain(found);
    }
  }
});

test('a restore that fails leaves no cache, and says why', () => {
  const source = new MemoryDevice({ nrBlocks: NR_BLOCKS });
  generateCache({ nrCacheBlocks: 3000 }, new CacheRestore(source));
  const xml = dumpCacheXml(source);
  const whole = new FaultDevice(new MemoryDevice({ nrBlocks: NR_BLOCKS }));
  restoreCacheXml(whole, xml, { cacheBlocks: 32 });
  for (const call of ['write', 'flush'] as const) {
    for (let at = 0; at < whole.calls[call]; at++) {
      const disk = new MemoryDevice({ nrBlocks: NR_BLOCKS });
      const device = new FaultDevice(disk, { faults: [{ kind: 'error', call, at }] });
      expect(() => restoreCacheXml(device, xml, { cacheBlocks: 32 })).toThrow(PersistentDataError);
      // The last flush may have failed after all was written.
      if (call === 'flush' && at === whole.calls.flush - 1) continue;
      expect(() => dumpCacheXml(disk)).toThrow(/superblock/);
    }
  }
});

test('a metadata device without room: a typed error, and what was there is there', () => {
  const device = new MemoryDevice({ nrBlocks: 14 });
  const cache = CacheMetadata.format(device, { dataBlockSizeSectors: 128 });
  cache.resize(500);
  cache.insert(3, 3);
  cache.commit();
  expect(() => cache.resize(500_000)).toThrow(PersistentDataError);
  cache.rollback();
  expect(cache.mapping(3)).toEqual({ originBlock: 3, dirty: false });
  expect(problemsOf(device)).toEqual([]);
});
