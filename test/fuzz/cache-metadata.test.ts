/**
 * Cache metadata of hostile content with good checksums, opened and used by all that reads it: nothing but typed errors may come of it, in bounded
 * time. `npm run test:fuzz -- --runs N` for more than the smoke.
 */

import fc from 'fast-check';
import { ParseError, PersistentDataError } from 'persistent-data/base';
import {
  CacheMetadata,
  CacheRestore,
  CacheWriteback,
  checkCache,
  detachReport,
  dumpCacheXml,
  previewCacheRepair,
  readCacheXml,
  repairCache,
} from 'persistent-data/cache';
import { CACHE_SUPERBLOCK, CACHE_SUPERBLOCK_VALIDATOR } from 'persistent-data/format';
import { MemoryDevice } from 'persistent-data/io';
import { CACHE_DAMAGES, CachePatient, type CacheRootField, damageCache, Random } from 'persistent-data/testing';
import { expect, test } from 'vitest';
import { goldenImage } from '../golden/image.ts';
import { replay, timeLimit } from '../replay.ts';
import { makeCache } from '../structures/cache-fixture.ts';

const LONGEST_MS = 5000;
const PATIENTS = [
  makeCache(1),
  makeCache(2),
  makeCache(2, { nrCacheBlocks: 60, nrMappings: 40 }),
  ...['v1-clean', 'v2-empty', 'v2-live-later'].map((name) => MemoryDevice.from(goldenImage('cache', name).bytes())),
];
const ROOTS: readonly CacheRootField[] = ['mappingRoot', 'hintRoot', 'discardRoot', 'dirtyRoot'];

/** Overwrites a word somewhere in the arrays, their trees or the superblock by something, and seals the block. */
function mutate(patient: CachePatient, random: Random): void {
  const value = random.pick([0, 1, 2, 3, 8, 0xffff_ffff, 0x8000_0000, random.below(200), random.uint32()]);
  const blocks = ROOTS.flatMap((root) => [
    ...patient.nodes(root).map((block) => ({ block, isNode: true })),
    ...patient.arrayBlocks(root).map((block) => ({ block, isNode: false })),
  ]);
  if (random.chance(0.4)) {
    const { fields } = CACHE_SUPERBLOCK;
    const { offset } = random.pick(fields.filter(({ offset: at }) => at % 4 === 0 && at >= 4));
    const block = patient.open(0, CACHE_SUPERBLOCK_VALIDATOR);
    block.slab.words[offset / 4 + random.below(2)] = value;
    block.write();
    return;
  }
  const { block, isNode } = random.pick(blocks);
  const victim = isNode ? patient.node(block) : patient.arrayBlock(block);
  // The header, or the first entries.
  victim.slab.words[1 + random.below(random.chance(0.5) ? 8 : 60)] = value;
  victim.write();
}

/** Runs one step. Typed errors are what is wanted; anything else fails the test. */
function step(name: string, work: () => unknown): void {
  const begin = performance.now();
  try {
    work();
  } catch (error) {
    if (!(error instanceof PersistentDataError || error instanceof ParseError || error instanceof RangeError)) {
      throw new Error(`${name}: an untyped ${(error as Error).name}: ${(error as Error).message}`, { cause: error });
    }
  }
  const took = performance.now() - begin;
  if (took > LONGEST_MS) throw new Error(`${name} took ${Math.round(took)} ms`);
}

const NO_DATA = { sizeBytes: 0, read: () => undefined, write: () => undefined, flush: () => undefined };

/** All that a cache in use goes through, as far as it goes. */
function use(device: MemoryDevice, random: Random): void {
  let opened: CacheMetadata | undefined;
  step('open', () => {
    opened = CacheMetadata.open(device, { cacheBlocks: 64 });
  });
  const cache = opened;
  if (cache === undefined) return;
  const block = random.below(Math.max(1, Math.min(cache.cacheBlocks, 5000)));
  const isSmall = cache.cacheBlocks < 100_000;
  const steps: Record<string, () => unknown> = {
    loadMappings: () => cache.loadMappings(() => undefined),
    loadDiscards: () => (cache.discards.nrBlocks < 1e6 ? cache.loadDiscards(() => undefined) : undefined),
    mapping: () => cache.mapping(block),
    insert: () => cache.insert(block, 77),
    remove: () => cache.remove(block),
    grow: () => isSmall && cache.resize(cache.cacheBlocks + 700),
    shrink: () => cache.resize(Math.floor(Math.min(cache.cacheBlocks, 5000) / 2)),
    commit: () => cache.commit(),
    shutDown: () => isSmall && cache.shutDown({ isDirty: (b) => b % 2 === 0 }),
  };
  for (const [name, work] of Object.entries(steps)) {
    step(name, () => {
      try {
        work();
      } catch (error) {
        // Whatever failed half-way, a rollback leads back to the last commit, or says why not.
        cache.rollback();
        throw error;
      }
    });
  }
  step('close', () => cache.close());
}

test(
  'hostile metadata gives typed errors only',
  () => {
    const property = fc.property(fc.nat(PATIENTS.length - 1), fc.nat(), (index, seed) => {
      const random = new Random(seed);
      const device = PATIENTS[index]!.fork();
      const patient = new CachePatient(device);
      if (random.chance(0.3)) damageCache(device, random.pick(CACHE_DAMAGES), random);
      else for (let i = random.between(1, 4); i > 0; i--) mutateSound(patient, PATIENTS[index]!, random);
      const fork = () => device.fork();
      // A check never throws, whatever the disk holds.
      for (const { message } of checkCache(fork())) expect(message).not.toBe('');
      step('dump', () => dumpCacheXml(fork()));
      step('preview', () => previewCacheRepair(fork()));
      step('detach', () => detachReport(fork()));
      step('repair', () => {
        const target = new MemoryDevice({ nrBlocks: 2048 });
        repairCache(fork(), target);
        const problems = [...checkCache(target)].filter(({ severity }) => severity !== 'warning');
        expect(problems).toEqual([]);
      });
      step('writeback', () => {
        const writeback = new CacheWriteback({ metadata: fork(), fast: NO_DATA, origin: NO_DATA, bufferBytes: 0 });
        if (writeback.nrBlocks < 2000) for (const _ of writeback.run());
      });
      use(fork(), random);
    });
    fc.assert(property, replay('fuzz', 60));
  },
  timeLimit(120_000),
);

/** As {@link mutate}, where what is there is found in the sound original. */
function mutateSound(patient: CachePatient, original: MemoryDevice, random: Random): void {
  mutate(new CachePatient(original, patient.device), random);
}

test(
  'hostile XML gives typed errors only',
  () => {
    const xml = dumpCacheXml(makeCache(2, { nrCacheBlocks: 30, nrMappings: 20 }));
    const property = fc.property(fc.nat(), (seed) => {
      const random = new Random(seed);
      let text = xml;
      for (let i = random.between(1, 3); i > 0; i--) {
        const at = random.below(text.length);
        const insert = random.pick(['', '"', '<', '/>', '0', '999999999999', '=', ' ', '<mappings>', '\0', 'é', '-1']);
        text = text.slice(0, at) + insert + text.slice(at + random.below(4));
      }
      step('restore', () => {
        const device = new MemoryDevice({ nrBlocks: 64 });
        readCacheXml([new TextEncoder().encode(text)], new CacheRestore(device));
        expect([...checkCache(device)].filter(({ severity }) => severity === 'fatal')).toEqual([]);
      });
    });
    fc.assert(property, replay('fuzz', 300));
  },
  timeLimit(60_000),
);
