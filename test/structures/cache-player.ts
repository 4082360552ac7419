import { CacheMetadata, checkCache, dumpCacheXml } from '../../packages/persistent-data/src/cache/index.ts';
import type { BlockDevice } from '../../packages/persistent-data/src/io/index.ts';
import type { Random } from '../../packages/persistent-data/src/testing/index.ts';

/** What the metadata of a cache says when it is opened: plain, to be compared. */
export interface PlainCache {
  readonly cacheBlocks: number;
  /** Origin block and whether it is dirty, by cache block. */
  readonly mappings: ReadonlyMap<number, { readonly origin: number; readonly dirty: boolean }>;
  /** Hints, after an orderly end. */
  readonly hints: ReadonlyMap<number, number>;
  readonly discards: ReadonlySet<number>;
}

export const STEPS = [
  'insert',
  'insert',
  'insert',
  'remove',
  'dirty',
  'clean',
  'resize',
  'commit',
  'commit',
  'rollback',
  'shutDown',
  'crash',
] as const;
export type CacheStep = (typeof STEPS)[number];

const MAX_CACHE_BLOCKS = 1200;
const NR_ORIGIN = 3000;
const NR_REGIONS = 100;
const SECTORS = 128;
const REGION_SECTORS = (SECTORS * NR_ORIGIN) / NR_REGIONS;

const hintOf = (block: number): number => (block * 7) % 64;
const isDiscarded = (region: number): boolean => region % 9 === 4;

/** Takes a cache's metadata through random steps, as a target would, beside plain maps that say what is to be there. */
export class CachePlayer {
  cache: CacheMetadata;
  readonly #device: BlockDevice;
  readonly #random: Random;
  #mappings = new Map<number, number>();
  #committed = new Map<number, number>();
  #committedBlocks = 0;
  /** In core. */
  #dirty = new Set<number>();
  /** As stored by the last orderly end; gone with the next opening. */
  #hints = new Map<number, number>();
  #discards = new Set<number>();

  constructor(device: BlockDevice, random: Random, version: 1 | 2) {
    this.#device = device;
    this.#random = random;
    this.cache = CacheMetadata.open(device, { formatBlank: version, dataBlockSizeSectors: SECTORS });
  }

  /** What an opening finds now, after a crash: of the last commit; mappings alone, all of them dirty. */
  get afterCrash(): PlainCache {
    return plain(this.#committedBlocks, this.#committed, () => true, new Map(), new Set());
  }

  /** What an opening would find if the commit that is being made were the last. */
  get afterCommit(): PlainCache {
    return plain(this.cache.cacheBlocks, this.#mappings, () => true, new Map(), new Set());
  }

  /** The same after an orderly end. */
  get afterShutDown(): PlainCache {
    const hints = new Map([...this.#mappings.keys()].map((block) => [block, hintOf(block)]));
    const discards = new Set(Array.from({ length: NR_REGIONS }, (_, region) => region).filter(isDiscarded));
    return plain(this.cache.cacheBlocks, this.#mappings, (block) => this.#dirty.has(block), hints, discards);
  }

  play(step: CacheStep): void {
    const { cache } = this;
    const random = this.#random;
    const block = cache.cacheBlocks === 0 ? -1 : random.below(cache.cacheBlocks);
    switch (step) {
      case 'insert':
        for (let i = 0; i < 1 + random.below(20); i++) this.#insert();
        break;
      case 'remove':
        if (block < 0) break;
        cache.remove(block);
        this.#mappings.delete(block);
        this.#dirty.delete(block);
        break;
      case 'dirty':
        for (const mapped of this.#mappings.keys()) if (random.chance(0.5)) this.#dirty.add(mapped);
        break;
      case 'clean':
        this.#dirty.clear();
        break;
      case 'resize':
        this.#resize(random.below(MAX_CACHE_BLOCKS + 1));
        break;
      case 'commit':
        cache.commit();
        this.#noteCommit();
        break;
      case 'rollback':
        cache.rollback();
        this.#mappings = new Map(this.#committed);
        // What the target knew of blocks that are mapped again is gone with them.
        this.#dirty = new Set(this.#committed.keys());
        break;
      case 'shutDown':
        this.shutDown();
        this.reopen();
        break;
      case 'crash':
        this.#mappings = new Map(this.#committed);
        this.#dirty = new Set(this.#committed.keys());
        this.#hints = new Map();
        this.#discards = new Set();
        this.cache = CacheMetadata.open(this.#device);
        break;
    }
  }

  shutDown(): void {
    const wanted = this.afterShutDown;
    const discards = { blockSizeSectors: REGION_SECTORS, nrBlocks: NR_REGIONS, isDiscarded };
    const failures = this.cache.shutDown({ isDirty: (block) => this.#dirty.has(block), discards, hintAt: hintOf });
    if (failures.length > 0) throw failures[0];
    this.#noteCommit();
    this.#hints = new Map(wanted.hints);
    this.#discards = new Set(wanted.discards);
  }

  reopen(): void {
    this.cache.close();
    this.cache = CacheMetadata.open(this.#device);
  }

  /** What is in core now. */
  get wanted(): ReadonlyMap<number, number> {
    return this.#mappings;
  }

  /** What the session's opening was to find of an orderly end. */
  get openedWith(): { readonly hints: ReadonlyMap<number, number>; readonly discards: ReadonlySet<number> } {
    return { hints: this.#hints, discards: this.#discards };
  }

  #insert(): void {
    const { cache } = this;
    if (cache.cacheBlocks === 0) return;
    const block = this.#random.below(cache.cacheBlocks);
    const origin = this.#random.below(NR_ORIGIN);
    if ([...this.#mappings.values()].includes(origin)) return;
    cache.insert(block, origin);
    this.#mappings.set(block, origin);
    this.#dirty.delete(block);
  }

  #resize(nrBlocks: number): void {
    const isLost = [...this.#mappings.keys()].some((block) => block >= nrBlocks);
    if (isLost) {
      // Unmapped first: whether dirty bits are on the disk as well is another test's business.
      for (const block of [...this.#mappings.keys()].filter((each) => each >= nrBlocks)) {
        this.cache.remove(block);
        this.#mappings.delete(block);
        this.#dirty.delete(block);
      }
    }
    this.cache.resize(nrBlocks, (block) => this.#dirty.has(block));
  }

  #noteCommit(): void {
    this.#committed = new Map(this.#mappings);
    this.#committedBlocks = this.cache.cacheBlocks;
  }
}

function plain(
  cacheBlocks: number,
  mappings: ReadonlyMap<number, number>,
  isDirty: (block: number) => boolean,
  hints: PlainCache['hints'],
  discards: PlainCache['discards'],
): PlainCache {
  const sorted = [...mappings].sort(([a], [b]) => a - b);
  return {
    cacheBlocks,
    mappings: new Map(sorted.map(([block, origin]) => [block, { origin, dirty: isDirty(block) }])),
    hints: new Map([...hints].sort(([a], [b]) => a - b)),
    discards,
  };
}

/** Reads what an opening finds. @param cache - Just opened. */
export function readPlain(cache: CacheMetadata): PlainCache {
  const mappings = new Map<number, { origin: number; dirty: boolean }>();
  const hints = new Map<number, number>();
  const discards = new Set<number>();
  cache.loadMappings((block, origin, dirty, hint, hintValid) => {
    mappings.set(block, { origin, dirty });
    if (hintValid) hints.set(block, hint);
  });
  cache.loadDiscards((region) => discards.add(region));
  return { cacheBlocks: cache.cacheBlocks, mappings, hints, discards };
}

/** A text that is equal for equal caches. */
export function describePlain({ cacheBlocks, mappings, hints, discards }: PlainCache): string {
  return JSON.stringify([cacheBlocks, [...mappings], [...hints], [...discards]]);
}

/** What is wrong with the metadata on a device, as the check and the dump have it. */
export function problemsOf(device: BlockDevice): string[] {
  const found = [...checkCache(device)].filter(({ severity }) => severity !== 'warning').map(({ message }) => message);
  if (found.length === 0) dumpCacheXml(device);
  return found;
}
