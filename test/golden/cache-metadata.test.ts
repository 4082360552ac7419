/**
 * Cache metadata is what Linux makes of it, to the byte: a new cache that was closed at once, made through the library, is the recorded device, all
 * of it. And recorded caches load as they should: after an orderly end with what was stored, copied while live with every block dirty.
 */

import {
  CacheMetadata,
  checkCache,
  discardBlockSizeFor,
  dumpCacheXml,
  NO_POLICY,
  SMQ_POLICY,
} from 'persistent-data/cache';
import { MemoryDevice } from 'persistent-data/io';
import { expect, test } from 'vitest';
import { goldenImage, goldenImages } from './image.ts';

const ORIGIN_SECTORS = 524_288;

test.each([1, 2] as const)('a new cache of version %i, closed at once', (version) => {
  const device = new MemoryDevice({ nrBlocks: 1024 });
  const cache = CacheMetadata.open(device, { formatBlank: version, dataBlockSizeSectors: 128 });
  cache.resize(512);
  cache.commit();
  const blockSizeSectors = discardBlockSizeFor(128, ORIGIN_SECTORS);
  const failures = cache.shutDown({
    isDirty: () => false,
    discards: { blockSizeSectors, nrBlocks: ORIGIN_SECTORS / blockSizeSectors, isDiscarded: () => false },
  });
  expect(failures).toEqual([]);
  const ours = device.toBytes();
  const theirs = goldenImage('cache', `v${version}-empty`).bytes();
  const differing: number[] = [];
  for (let b = 0; b < 1024; b++) {
    const [found, wanted] = [ours, theirs].map((bytes) => Buffer.from(bytes.buffer, 4096 * b, 4096));
    if (!found!.equals(wanted!)) differing.push(b);
  }
  expect(differing).toEqual([]);
});

interface Loaded {
  readonly mappings: string[];
  readonly hints: Map<number, number>;
}

function load(cache: CacheMetadata): Loaded {
  const mappings: string[] = [];
  const hints = new Map<number, number>();
  cache.loadMappings((block, origin, dirty, hint, hintValid) => {
    mappings.push(`<mapping cache_block="${block}" origin_block="${origin}" dirty="${dirty}"/>`);
    if (hintValid) hints.set(block, hint);
  });
  return { mappings, hints };
}

test.each(goldenImages('cache').map((image) => [image.name, image] as const))('%s is opened', (name, image) => {
  const device = MemoryDevice.from(image.bytes());
  const xml = dumpCacheXml(device);
  const wanted = xml.match(/<mapping .*\/>/g) ?? [];
  const cache = CacheMetadata.open(device, { dataBlockSizeSectors: name.includes('through') ? 512 : 128 });
  const isLive = name.includes('live');
  expect(cache.cleanWhenOpened).toBe(!isLive);
  expect(cache.policy).toEqual(isLive ? NO_POLICY : SMQ_POLICY);
  expect([...checkCache(device)]).toEqual([]);
  const { mappings, hints } = load(cache);
  expect(mappings).toEqual(isLive ? wanted.map((text) => text.replace('"false"', '"true"')) : wanted);
  expect(hints.size).toBe(isLive ? 0 : wanted.length);
  // Whoever opens it next, after a crash of ours, believes nothing but the mappings.
  const again = CacheMetadata.open(device);
  expect(again.cleanWhenOpened).toBe(false);
  expect(load(again).mappings).toEqual(wanted.map((text) => text.replace('"false"', '"true"')));
  expect(load(again).hints.size).toBe(0);
  expect(() => CacheMetadata.open(device, { dataBlockSizeSectors: 64 })).toThrow(/64 are wanted/);
});
