import type { BulkArrayChecker, BulkArrayOutcome } from '../array/index.ts';
import type { Finding } from '../base/index.ts';
import { maskOf, popcount, wordsFor } from '../bitset/index.ts';
import { CACHE_MAPPING_DIRTY, CACHE_MAPPING_VALID } from '../format/index.ts';
import { flagsAt, originAt } from './mapping.ts';
import { OriginSet } from './origin-set.ts';
import { type CacheSuperblock, isCleanShutdown, originBlocks } from './superblock.ts';

/** A cache's arrays. */
export type ArrayKind = 'mappings' | 'dirty-bits' | 'hints' | 'discards';

/** What tells the trees of the arrays apart, for `CheckedTree.kind`. */
const KIND: Readonly<Record<ArrayKind, number>> = { mappings: 0, hints: 1, discards: 2, 'dirty-bits': 3 };

const BITS_PER_HALF = 32;

/** A finding about one cache block. */
export interface CacheBlockFinding extends Finding {
  readonly cacheBlock: number;
  /** What is mapped, where that matters. */
  readonly originBlock?: number;
}

/** A bit for each cache block, as many as were met. */
export class BlockBits {
  #words = new Uint32Array(64);

  set(block: number): void {
    const word = block >>> 5;
    if (word >= this.#words.length) this.#growTo(word + 1);
    this.#words[word]! |= 1 << (block & 31);
  }

  /** The bits of blocks `32 * half` and on. */
  half(half: number): number {
    return this.#words[half] ?? 0;
  }

  has(block: number): boolean {
    return (this.half(block >>> 5) & (1 << (block & 31))) !== 0;
  }

  #growTo(length: number): void {
    const grown = new Uint32Array(Math.max(length, 2 * this.#words.length));
    grown.set(this.#words);
    this.#words = grown;
  }
}

/** What a look at the mappings came to. */
export interface CheckedMappings {
  readonly isWhole: boolean;
  readonly nrMapped: number;
  /** Version 1: as stored. */
  readonly nrDirty: number;
  readonly mapped: BlockBits;
}

/** Checks the array of mappings: flags, origin blocks within the origin and each mapped once. */
export function* checkMappings(
  arrays: BulkArrayChecker,
  superblock: CacheSuperblock,
): Generator<Finding, CheckedMappings> {
  const { version, cacheBlocks } = superblock;
  const nrOrigin = originBlocks(superblock) ?? Number.POSITIVE_INFINITY;
  const knownFlags = version === 1 ? CACHE_MAPPING_VALID | CACHE_MAPPING_DIRTY : CACHE_MAPPING_VALID;
  const mapped = new BlockBits();
  const origins = new OriginSet();
  let nrMapped = 0;
  let nrDirty = 0;
  const { isWhole } = yield* arrays.check(superblock.mappingRoot, {
    kind: KIND.mappings,
    valueSize: 8,
    length: cacheBlocks,
    visit: (words, begin, nr, first, report) => {
      const say = (code: string, cacheBlock: number, text: string, originBlock?: number): void => {
        const place = originBlock === undefined ? { cacheBlock } : { cacheBlock, originBlock };
        report({ code: `cache.${code}`, message: `cache block ${cacheBlock}: ${text}`, ...place });
      };
      for (let i = 0, at = begin; i < nr; i++, at += 2) {
        const low = words[at]!;
        if (low === 0 && words[at + 1] === 0) continue;
        const block = first + i;
        const flags = flagsAt(words, at);
        const origin = originAt(words, at);
        if ((flags & ~knownFlags) !== 0) say('flags', block, `unknown flags in mapping: ${flags & ~knownFlags}`);
        if ((flags & CACHE_MAPPING_VALID) === 0) {
          if ((flags & knownFlags & CACHE_MAPPING_DIRTY) !== 0)
            say('dirty', block, 'dirty bit found on an unmapped block');
          if (origin > 0) say('unmapped', block, `origin block ${origin} in a mapping that is not valid`, origin);
          continue;
        }
        nrMapped++;
        if ((flags & CACHE_MAPPING_DIRTY) !== 0) nrDirty++;
        mapped.set(block);
        if (origins.add(origin)) say('twice', block, `origin block ${origin} already mapped`, origin);
        if (origin >= nrOrigin) {
          say(
            'beyond-origin',
            block,
            `mapping beyond end of the origin device: origin block ${origin} of ${nrOrigin}`,
            origin,
          );
        }
      }
    },
  });
  return { isWhole, nrMapped, nrDirty, mapped };
}

/** Checks the dirty bits of version 2: only mapped blocks are dirty, as far as the mappings could be read. */
export function* checkDirtyBits(
  arrays: BulkArrayChecker,
  { dirtyRoot, cacheBlocks }: CacheSuperblock,
  mappings: CheckedMappings,
): Generator<Finding, { readonly isWhole: boolean; readonly nrDirty: number }> {
  if (dirtyRoot === 0) return { isWhole: false, nrDirty: 0 };
  let nrDirty = 0;
  const { isWhole } = yield* arrays.check(dirtyRoot, {
    kind: KIND['dirty-bits'],
    valueSize: 8,
    length: wordsFor(cacheBlocks),
    visit: (words, at, nr, first, report) => {
      for (let i = 0; i < 2 * nr; i++) {
        const half = 2 * first + i;
        const begin = half * BITS_PER_HALF;
        // Behind the end a bitset holds anything.
        const bits =
          begin + BITS_PER_HALF <= cacheBlocks
            ? words[at + i]!
            : words[at + i]! & maskOf(0, Math.max(0, cacheBlocks - begin));
        if (bits === 0) continue;
        const valid = mappings.mapped.half(half);
        nrDirty += popcount((bits & valid) >>> 0);
        let wrong = mappings.isWhole ? bits & ~valid : 0;
        for (; wrong !== 0; wrong &= wrong - 1) {
          const cacheBlock = begin + 31 - Math.clz32(wrong & -wrong);
          const message = `cache block ${cacheBlock}: dirty bit found on an unmapped block`;
          report({ code: 'cache.dirty', message, ...{ cacheBlock } });
        }
      }
    },
  });
  return { isWhole, nrDirty };
}

/** Checks the array of hints, if there is one. Their values are the policy's business. */
export function* checkHints(arrays: BulkArrayChecker, superblock: CacheSuperblock): Generator<Finding, boolean> {
  const { hintRoot, cacheBlocks, policy } = superblock;
  if (hintRoot === 0) return true;
  // Its blocks count, although nobody reads it: a cache that grew gets new hints when it is shut down in order.
  const isUsed = policy.hintSize > 0 && isCleanShutdown(superblock);
  return (yield* arrays.check(hintRoot, { kind: KIND.hints, valueSize: 4, length: isUsed ? cacheBlocks : 0 })).isWhole;
}

/** Checks the bitset of discards, if there is one. */
export function* checkDiscards(arrays: BulkArrayChecker, superblock: CacheSuperblock): Generator<Finding, boolean> {
  const { discardRoot, discardNrBlocks } = superblock;
  if (discardRoot === 0) return true;
  const bitset = { kind: KIND.discards, valueSize: 8, length: wordsFor(discardNrBlocks) };
  const outcome: BulkArrayOutcome = yield* arrays.check(discardRoot, bitset);
  return outcome.isWhole;
}
