import { expect, test } from 'vitest';
import { makeCache } from '../../../../test/structures/cache-fixture.ts';
import { CorruptionError } from '../base/index.ts';
import type { MemoryDevice } from '../io/index.ts';
import { damageCache, Random } from '../testing/index.ts';
import { checkCache } from './check.ts';
import { DirtyBlocks } from './clean-blocks.ts';
import { detachReport } from './detach.ts';
import { dumpCacheXml } from './dump.ts';
import { CacheMetadata } from './metadata.ts';
import { CacheWriteback, type DataDevice, type WritebackOptions } from './writeback.ts';

const SECTORS = 64;
const BLOCK = SECTORS * 512;
const SHAPE = { nrCacheBlocks: 40, nrMappings: 30, nrOriginBlocks: 60, blockSize: SECTORS, percentDirty: 50 };

/** Data in memory, of which some blocks cannot be had. */
class Data implements DataDevice {
  readonly bytes: Uint8Array;
  flushes = 0;
  readonly bad = new Map<number, number>();

  constructor(nrBlocks: number, stamp: number) {
    this.bytes = new Uint8Array(nrBlocks * BLOCK);
    for (let b = 0; b < nrBlocks; b++) this.bytes.fill((stamp + b) & 0xff, b * BLOCK, (b + 1) * BLOCK);
  }
  get sizeBytes(): number {
    return this.bytes.length;
  }
  read(target: Uint8Array, offset: number): void {
    this.#fail(offset);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }
  write(source: Uint8Array, offset: number): void {
    this.#fail(offset);
    this.bytes.set(source, offset);
  }
  flush(): void {
    this.flushes++;
  }
  block(b: number): number {
    return this.bytes[b * BLOCK + 5]!;
  }
  #fail(offset: number): void {
    const left = this.bad.get(offset / BLOCK) ?? 0;
    if (left === 0) return;
    this.bad.set(offset / BLOCK, left - 1);
    throw new Error('medium error');
  }
}

interface Entry {
  readonly cache: number;
  readonly origin: number;
  readonly dirty: boolean;
}

function entriesOf(device: MemoryDevice): Entry[] {
  const found = dumpCacheXml(device).matchAll(/<mapping cache_block="(\d+)" origin_block="(\d+)" dirty="(\w+)"/g);
  return [...found].map(([, cache, origin, dirty]) => ({
    cache: Number(cache),
    origin: Number(origin),
    dirty: dirty === 'true',
  }));
}

function setUp(version: 1 | 2, options: { readonly omitCleanShutdown?: boolean } = {}) {
  const metadata = makeCache(version, SHAPE, options);
  const fast = new Data(SHAPE.nrCacheBlocks, 100);
  const origin = new Data(SHAPE.nrOriginBlocks, 0);
  const entries = entriesOf(metadata);
  const run = (more: Partial<WritebackOptions> = {}) => {
    const writeback = new CacheWriteback({ metadata, fast, origin, bufferBytes: 3 * BLOCK, ...more });
    const steps = [...writeback.run()];
    return { writeback, steps };
  };
  /** What the origin should have once these blocks were copied. */
  const expectCopied = (copied: readonly Entry[]): void => {
    const wanted = new Map(copied.map((entry) => [entry.origin, (100 + entry.cache) & 0xff]));
    for (let b = 0; b < SHAPE.nrOriginBlocks; b++) expect(origin.block(b)).toBe(wanted.get(b) ?? b);
  };
  return { metadata, fast, origin, entries, dirty: entries.filter(({ dirty }) => dirty), run, expectCopied };
}

test.each([1, 2] as const)('version %i: dirty blocks are copied and then clean, nothing else changes', (version) => {
  const { metadata, entries, dirty, origin, run, expectCopied } = setUp(version);
  const hints = dumpCacheXml(metadata).match(/<hint .*/g);
  expect(detachReport(metadata)).toMatchObject({ canBeDropped: false, nrAtRisk: dirty.length, cleanShutdown: true });
  const { writeback, steps } = run();
  expect(writeback).toMatchObject({ nrBlocks: dirty.length, nrCopied: dirty.length, failed: [] });
  expect(steps.at(-1)).toEqual({ done: dirty.length, total: dirty.length });
  expect(origin.flushes).toBe(Math.ceil(dirty.length / 3));
  expectCopied(dirty);
  expect(entriesOf(metadata)).toEqual(entries.map((entry) => ({ ...entry, dirty: false })));
  expect(dumpCacheXml(metadata).match(/<hint .*/g)).toEqual(hints);
  expect([...checkCache(metadata)]).toEqual([]);
  expect(detachReport(metadata)).toMatchObject({ canBeDropped: true, nrMapped: 30, nrAtRisk: 0, bytesAtRisk: 0 });
  expect(run().writeback.nrBlocks).toBe(0);
});

test.each([1, 2] as const)(
  'version %i: after a crash all mapped blocks are copied, and the cache is in order then',
  (version) => {
    const { metadata, entries, run, expectCopied } = setUp(version, { omitCleanShutdown: true });
    expect(detachReport(metadata)).toMatchObject({ canBeDropped: false, nrAtRisk: 30, bytesAtRisk: 30 * BLOCK });
    expect(run().writeback.nrCopied).toBe(30);
    expectCopied(entries);
    expect([...checkCache(metadata)]).toEqual([]);
    const cache = CacheMetadata.open(metadata);
    expect(cache.cleanWhenOpened).toBe(true);
    expect(cache.isAllClean).toBe(true);
  },
);

test.each([1, 2] as const)('version %i: stopped after any buffer, it goes on with what is left', (version) => {
  const nrSteps = Math.ceil(setUp(version).dirty.length / 3);
  for (let stop = 1; stop < nrSteps; stop++) {
    for (const omitCleanShutdown of [false, true]) {
      const { metadata, entries, dirty, fast, origin, run, expectCopied } = setUp(version, { omitCleanShutdown });
      const todo = omitCleanShutdown ? entries : dirty;
      const first = new CacheWriteback({ metadata, fast, origin, bufferBytes: 3 * BLOCK });
      const steps = first.run();
      for (let i = 0; i < stop; i++) steps.next();
      expect([...checkCache(metadata)]).toEqual([]);
      const { writeback } = run();
      expect(first.nrCopied + writeback.nrCopied).toBe(todo.length);
      expectCopied(todo);
      expect(detachReport(metadata).canBeDropped).toBe(true);
    }
  }
});

test('blocks that fail stay dirty, with a reason; the others go on; a retry may help', () => {
  const { metadata, fast, origin, dirty, run, expectCopied } = setUp(2);
  const [read, written, lucky] = dirty;
  fast.bad.set(read!.cache, 9);
  origin.bad.set(written!.origin, 9);
  fast.bad.set(lucky!.cache, 1);
  const { writeback } = run({ retries: 1 });
  expect(writeback.failed).toEqual([
    { cacheBlock: read!.cache, originBlock: read!.origin, step: 'read', reason: 'medium error' },
    { cacheBlock: written!.cache, originBlock: written!.origin, step: 'write', reason: 'medium error' },
  ]);
  expectCopied(dirty.slice(2));
  const left = entriesOf(metadata).filter(({ dirty }) => dirty);
  expect(left).toEqual([read, written]);
  fast.bad.clear();
  origin.bad.clear();
  expect(run().writeback.nrCopied).toBe(2);
});

test('blocks beyond the devices fail; the origin may end within a block', () => {
  const { metadata, entries, dirty, fast } = setUp(1);
  const last = Math.max(...dirty.map((entry) => entry.origin));
  const origin = new Data(last + 1, 0);
  const short: DataDevice = {
    sizeBytes: last * BLOCK + 4096,
    read: (target, offset) => origin.read(target, offset),
    write: (source, offset) => {
      expect(offset + source.length).toBeLessThanOrEqual(last * BLOCK + 4096);
      origin.write(source, offset);
    },
    flush: () => origin.flush(),
  };
  const all = new CacheWriteback({ metadata, fast, origin: short });
  expect([...all.run()]).toHaveLength(1);
  expect(all.failed).toEqual([]);
  const tiny = new CacheWriteback({ metadata: makeCache(1, SHAPE), fast: new Data(1, 0), origin });
  expect([...tiny.run()]).toHaveLength(1);
  expect(tiny.failed).toHaveLength(entries.filter((entry) => entry.dirty && entry.cache > 0).length);
  expect(tiny.failed[0]!.reason).toMatch(/beyond the end of the fast device, which has 32768 bytes/);
});

test('offsets; and metadata that is to stay', () => {
  const { metadata, fast, dirty, run } = setUp(2);
  const before = metadata.toBytes();
  const origin = new Data(SHAPE.nrOriginBlocks + 2, 0);
  const { writeback } = run({ origin, originOffset: 2 * BLOCK, keepMetadata: true });
  expect(writeback.nrCopied).toBe(dirty.length);
  for (const { cache, origin: block } of dirty) expect(origin.block(block + 2)).toBe(fast.block(cache));
  expect(metadata.toBytes()).toEqual(before);
});

test('a flush that fails ends it, and nothing counts as copied', () => {
  const { metadata, entries, origin, run } = setUp(2);
  origin.flush = () => {
    throw new Error('flush failed');
  };
  expect(() => run()).toThrow('flush failed');
  expect(entriesOf(metadata)).toEqual(entries);
});

test('metadata that cannot be believed is refused', () => {
  const { metadata, fast, origin } = setUp(2);
  damageCache(metadata, 'lostMappings', new Random(1));
  expect(() => new CacheWriteback({ metadata, fast, origin })).toThrow(CorruptionError);
  expect(() => detachReport(metadata)).toThrow(CorruptionError);
});

test('cleaning what is clean or not mapped changes nothing', () => {
  for (const version of [1, 2] as const) {
    const { metadata, entries } = setUp(version);
    const clean = entries.filter(({ dirty }) => !dirty).map(({ cache }) => cache);
    new DirtyBlocks(metadata).clean(clean);
    expect(entriesOf(metadata)).toEqual(entries);
  }
});
