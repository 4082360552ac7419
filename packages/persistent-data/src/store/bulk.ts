import { type Slab, StateError } from '../base/index.ts';
import { BtreeBuilder, blockReferenceType, type Root } from '../btree/index.ts';
import type { TransactionManager } from '../transaction-manager/index.ts';
import { opaqueType } from './raw-tree.ts';

/**
 * Builds a tree of any number of levels from entries in rising order: full nodes, each written once. Memory: two nodes for each level of each
 * tree that is under way.
 */
export class NestedBuilder {
  readonly #tm: TransactionManager;
  readonly #levels: number;
  readonly #valueSize: number;
  /** One builder for each level; those below the first belong to the keys in `#high` and `#low`. */
  readonly #builders: BtreeBuilder<unknown>[] = [];
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** Entries so far. */
  count = 0;

  constructor(tm: TransactionManager, levels: number, valueSize: number) {
    this.#tm = tm;
    this.#levels = levels;
    this.#valueSize = valueSize;
    this.#high = new Uint32Array(levels);
    this.#low = new Uint32Array(levels);
    this.#builders[0] = this.#builder(0);
  }

  /**
   * Adds an entry, whose value's bytes are at byte offset `at` of `slab`.
   * @throws {RangeError} when its keys are not above those of the one before.
   */
  add(keyHigh: Uint32Array, keyLow: Uint32Array, slab: Slab, at: number): void {
    const last = this.#levels - 1;
    let level = 0;
    while (
      level < last &&
      this.#builders[level + 1] &&
      keyHigh[level] === this.#high[level] &&
      keyLow[level] === this.#low[level]
    ) {
      level++;
    }
    if (level < last) this.#close(level);
    for (; level < last; level++) {
      this.#high[level] = keyHigh[level]!;
      this.#low[level] = keyLow[level]!;
      this.#builders[level + 1] = this.#builder(level + 1);
    }
    this.#builders[last]!.addRaw(keyHigh[last]!, keyLow[last]!, slab, at);
    this.count++;
  }

  /** Answers the root. The builder is used up. */
  finish(): Root {
    this.#close(0);
    return this.#builders[0]!.finish();
  }

  /** Finishes the sub-trees below `level`, and puts their roots where they belong. */
  #close(level: number): void {
    for (let below = this.#levels - 1; below > level; below--) {
      const builder = this.#builders[below];
      if (builder === undefined) continue;
      this.#builders.length = below;
      this.#builders[below - 1]!.add(this.#high[below - 1]!, this.#low[below - 1]!, builder.finish());
    }
  }

  #builder(level: number): BtreeBuilder<unknown> {
    const isLast = level === this.#levels - 1;
    return new BtreeBuilder<unknown>(
      this.#tm,
      (isLast ? opaqueType(this.#valueSize) : blockReferenceType(this.#tm)) as ReturnType<typeof opaqueType>,
    );
  }
}

/** @throws {StateError} unless a tree is empty, as a bulk load wants it. */
export function refuseFull(name: string, count: number): void {
  if (count === 0) return;
  throw new StateError(`Cannot load "${name}": it has ${count} entries, an empty tree is wanted`);
}
