import type { CacheVisitor } from '../cache/index.ts';
import { Random } from './random.ts';

/** A cache of a given shape, for tests and measurements. */
export interface CacheShape {
  readonly nrCacheBlocks: number;
  /** Default: all cache blocks are mapped. */
  readonly nrMappings?: number;
  /** Blocks of the origin; default: twice the cache blocks. At least as many as mappings. */
  readonly nrOriginBlocks?: number;
  /** Of a hundred mapped blocks; default 33. */
  readonly percentDirty?: number;
  /** Scatters origin blocks over the origin; default: the first ones, in order. */
  readonly fragmented?: boolean;
  /** In 512-byte sectors; default 128. */
  readonly blockSize?: number;
  readonly seed?: number;
}

/** Tells a visitor of a cache of that shape. The same seed gives the same cache. Constant memory. */
export function generateCache(shape: CacheShape, visitor: CacheVisitor): void {
  const { nrCacheBlocks, nrMappings = nrCacheBlocks, percentDirty = 33, fragmented = false, blockSize = 128 } = shape;
  const { nrOriginBlocks = 2 * nrCacheBlocks, seed = 1 } = shape;
  if (nrMappings > nrCacheBlocks || nrMappings > nrOriginBlocks) {
    const room = `${nrCacheBlocks} cache blocks and ${nrOriginBlocks} origin blocks`;
    throw new RangeError(`Cannot generate a cache: ${nrMappings} mappings, there are ${room}`);
  }
  const random = new Random(seed);
  const step = fragmented ? stepFor(nrOriginBlocks, random) : 1;
  visitor.superblockBegin({ uuid: '', blockSize, nrCacheBlocks, policy: 'smq', hintWidth: 4 });
  // Mapped blocks are spread evenly.
  const blockOf = (i: number): number => Math.floor((i * nrCacheBlocks) / nrMappings);
  visitor.mappingsBegin();
  for (let i = 0; i < nrMappings; i++) {
    visitor.mapping(blockOf(i), (i * step) % nrOriginBlocks, random.below(100) < percentDirty);
  }
  visitor.mappingsEnd();
  visitor.hintsBegin();
  for (let i = 0; i < nrMappings; i++) visitor.hint(blockOf(i), random.below(64));
  visitor.hintsEnd();
  visitor.superblockEnd();
}

/** Steps of a permutation that is easy to compute: block i goes to i * step mod n. */
function stepFor(nrBlocks: number, random: Random): number {
  const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
  // Products stay exact.
  let step = 1 + random.below(Math.max(1, Math.min(nrBlocks, 2 ** 20) - 1));
  while (greatestCommonDivisor(step, nrBlocks) !== 1) step = (step % nrBlocks) + 1;
  return step;
}
