/**
 * Thin metadata of hostile content with good checksums, opened and used: nothing but the typed errors of `persistent-data/base` may come of it,
 * in bounded time and memory. `npm run test:fuzz -- --runs N` for more than the smoke.
 */

import fc from 'fast-check';
import { PersistentDataError } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import { Random } from 'persistent-data/testing';
import { type ThinDevice, ThinMetadata } from 'persistent-data/thin';
import { afterEach, expect, test, vi } from 'vitest';
import { goldenImage } from '../golden/image.ts';
import { replay, timeLimit } from '../replay.ts';
import { ThinFixture } from '../structures/thin-fixture.ts';
import { MutableImage } from './thin-mutation.ts';

const CACHE_BLOCKS = 32;
const LONGEST_MS = 5000;
/** What one image may cost in memory, the cache apart. The images have at most 4 MiB. */
const MOST_BYTES = 64 * 2 ** 20;

afterEach(() => {
  vi.restoreAllMocks();
});

interface Sizes {
  readonly nrMetadataBlocks: number;
  readonly nrDataBlocks: number;
}

function generated(name: string, sizes: Sizes, fill: (fixture: ThinFixture) => void): () => MutableImage {
  return () => {
    const device = new MemoryDevice({ nrBlocks: sizes.nrMetadataBlocks });
    const fixture = new ThinFixture({ ...sizes, device });
    fill(fixture);
    fixture.pool.close();
    return new MutableImage(name, device);
  };
}

function golden(family: string, name: string): () => MutableImage {
  return () => new MutableImage(`${family}/${name}`, MemoryDevice.from(goldenImage(family, name).bytes()));
}

const IMAGES = [
  golden('thin', 'empty'),
  golden('thin', 'metasnap'),
  golden('thin', 'multi-64k-live2'),
  golden('scripted', '07-discard'),
  golden('scripted', '16-write-shuffled'),
  generated('one leaf', { nrMetadataBlocks: 40, nrDataBlocks: 100 }, (fixture) => {
    fixture.pool.createThin(0);
    fixture.provision(0, 0, 20);
  }),
  generated('snapshots', { nrMetadataBlocks: 128, nrDataBlocks: 500 }, (fixture) => {
    fixture.pool.createThin(1);
    fixture.provision(1, 0, 300);
    for (const id of [2, 3, 4, 5]) {
      fixture.pool.createSnapshot({ snapshot: id, origin: 1 });
      fixture.provision(1, 10 * id, 10);
    }
    fixture.pool.commit();
    fixture.pool.reserveMetadataSnapshot();
    fixture.provision(2, 250, 5);
  }),
  generated('many devices, counts above two', { nrMetadataBlocks: 700, nrDataBlocks: 40_000 }, (fixture) => {
    for (let id = 0; id < 150; id++) fixture.pool.createThin(id);
    fixture.provision(7, 0, 1200);
    fixture.pool.createSnapshot({ snapshot: 1000, origin: 7 });
    for (let i = 0; i < 2; i++) fixture.pool.incDataRange(100, 600);
    fixture.provision(1000, 300, 100);
  }),
];

const images = new Map<number, MutableImage>();

function image(index: number): MutableImage {
  const made = images.get(index) ?? IMAGES[index]!();
  images.set(index, made);
  return made;
}

/** Runs one step. Typed errors are what is wanted; anything else fails the test. */
async function step(name: string, work: () => unknown): Promise<void> {
  const begin = performance.now();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof PersistentDataError)) {
      throw new Error(`${name}: an untyped ${(error as Error).name}: ${(error as Error).message}`, { cause: error });
    }
  }
  const took = performance.now() - begin;
  if (took > LONGEST_MS) throw new Error(`${name} took ${Math.round(took)} ms`);
}

function withThin(pool: ThinMetadata, id: number, work: (thin: ThinDevice) => unknown): void {
  const thin = pool.openThin(id);
  try {
    work(thin);
  } finally {
    thin.close();
  }
}

function readDevice(thin: ThinDevice, random: Random): void {
  for (const b of [0, 1, 255, random.below(2000), 2 ** 53 - 2]) thin.find(b);
  for (let begin = 0, runs = 0; runs < 30; runs++) {
    const run = thin.findMappedRange(begin, 2 ** 40);
    if (run === undefined) break;
    begin = run.end;
  }
  void thin.highestMapped;
}

function readView(pool: ThinMetadata, random: Random): void {
  const view = pool.view();
  let shown = 0;
  for (const listed of view.devices()) {
    view.find(listed, random.below(1000));
    if (++shown > 20) break;
  }
  view.close();
}

/** What can be asked of a pool, and what can be done to it. */
function steps(pool: ThinMetadata, ids: readonly number[], random: Random): Record<string, () => unknown> {
  const fresh = () => random.below(2 ** 24);
  const one = () => random.pick(ids);
  const nrData = () => Math.min(pool.nrDataBlocks, 2 ** 39);
  return {
    read: () => withThin(pool, one(), (thin) => readDevice(thin, random)),
    'read again': () => withThin(pool, one(), (thin) => readDevice(thin, random)),
    view: () => readView(pool, random),
    create: () => pool.createThin(fresh()),
    snapshot: () => pool.createSnapshot({ snapshot: fresh(), origin: one() }),
    insert: () => withThin(pool, one(), (thin) => thin.insert(random.below(3000), pool.allocateDataBlock())),
    'insert many': () => {
      withThin(pool, one(), (thin) => {
        for (let b = random.below(500), i = 0; i < 60; i++) thin.insert(b + i, pool.allocateDataBlock());
      });
    },
    remove: () => withThin(pool, one(), (thin) => thin.removeRange(random.below(300), 300 + random.below(1000))),
    delete: () => pool.deleteThin(one()),
    count: () => [0, 5, 19, random.below(1000)].map((b) => [pool.dataBlockCount(b), pool.dataBlockIsShared(b)]),
    inc: () => pool.incDataRange(0, random.below(300)),
    dec: () => pool.decDataRange(0, random.below(300)),
    reserve: () => pool.reserveMetadataSnapshot(),
    release: () => pool.releaseMetadataSnapshot(),
    'grow data': () => pool.resizeData(nrData() + random.below(40_000)),
    'shrink data': () => pool.resizeData(Math.floor(nrData() / 2)),
    'grow metadata': () => pool.resizeMetadata(pool.nrMetadataBlocks + random.below(20_000)),
    'shrink metadata': () => pool.resizeMetadata(Math.max(1, pool.nrMetadataBlocks - random.below(100))),
    'transaction id': () => pool.setTransactionId({ expected: pool.transactionId, next: fresh() }),
    commit: () => pool.commit(),
    'commit later': () => pool.commitAsync(),
  };
}

async function use(device: MemoryDevice, random: Random): Promise<void> {
  let opened: ThinMetadata | undefined;
  await step('open', () => {
    opened = ThinMetadata.open(device, { cacheBlocks: CACHE_BLOCKS });
  });
  if (opened === undefined) return;
  const pool = opened;
  let ids: number[] = [];
  await step('list', () => {
    ids = pool.devices().map(({ id }) => id);
  });
  const all = steps(pool, ids.length > 0 ? ids : [0, 1, 7], random);
  for (const name of random.shuffled(Object.keys(all))) {
    await step(name, all[name]!);
    if (pool.core.tm.broken !== undefined) {
      await step('commit of what is broken', () => pool.commit());
      await step('rollback', () => pool.rollback());
    }
  }
  await step('close', () => pool.close());
  await step('open again', () => ThinMetadata.open(device, { cacheBlocks: CACHE_BLOCKS }).close());
}

function memoryInUse(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Images tried on each change. */
const SMOKE = 1200;

test(
  'hostile images give typed errors, in bounded time and memory',
  async () => {
    const seed = fc.noShrink(fc.nat(2 ** 31 - 1));
    const plays = fc.asyncProperty(fc.nat(IMAGES.length - 1), seed, async (index, own) => {
      const random = new Random(own);
      const device = image(index).mutate(random);
      const before = memoryInUse();
      await use(device, random);
      const grown = memoryInUse() - before;
      if (grown > MOST_BYTES) throw new Error(`${image(index).name}: ${Math.round(grown / 2 ** 20)} MiB are in use`);
    });
    await fc.assert(plays, replay('fuzz', SMOKE));
  },
  timeLimit(240_000),
);

test('whole images of noise give typed errors as well', async () => {
  for (let own = 0; own < 30; own++) {
    const random = new Random(own);
    const device = MemoryDevice.from(random.bytes(16 * 4096));
    await use(device, random);
  }
});

test('the alarm works: an untyped error is noticed, and so is a step that takes too long', async () => {
  const device = image(5).mutate(new Random(1));
  vi.spyOn(ThinMetadata, 'open').mockImplementation(() => {
    throw new TypeError('canary');
  });
  await expect(use(device, new Random(1))).rejects.toThrow('open: an untyped TypeError: canary');
  vi.restoreAllMocks();
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += LONGEST_MS + 1;
    return now;
  });
  await expect(use(device, new Random(1))).rejects.toThrow('took');
});
