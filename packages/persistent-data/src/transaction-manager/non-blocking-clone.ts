import { WouldBlockError } from '../base/index.ts';
import type { BlockManager } from '../block-manager/index.ts';
import type { BlockValidator } from '../format/index.ts';
import type { PrefetchSet } from './prefetch-set.ts';
import type { BlockReader } from './transaction-manager.ts';

/**
 * Reads what is cached and nothing else, so that a server's fast path never waits: on a {@link WouldBlockError} it lets the slow
 * path do the request, which by then finds the block prefetched. It cannot change anything.
 */
export class NonBlockingClone implements BlockReader {
  readonly blockManager: BlockManager;
  readonly #prefetches: PrefetchSet;

  constructor(blockManager: BlockManager, prefetches: PrefetchSet) {
    this.blockManager = blockManager;
    this.#prefetches = prefetches;
  }

  /** @throws {WouldBlockError} when the block is not in the cache. */
  read(b: number, validator: BlockValidator): number {
    const base = this.blockManager.tryRead(b, validator);
    if (base >= 0) return base;
    this.#prefetches.add(b, validator);
    throw new WouldBlockError(`Cannot read ${validator.kind} block ${b} now: it is not in memory`);
  }
}
