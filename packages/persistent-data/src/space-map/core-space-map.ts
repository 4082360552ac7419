import { assert, CorruptionError, NoSpaceError, type Space } from '../base/index.ts';
import type { SpaceMap } from './space-map.ts';

/**
 * A space map that lives in core only: for tests, for checkers, and for a transaction whose space is thrown away. One byte a
 * block, and a table for the few counts above 254.
 */
export class CoreSpaceMap implements SpaceMap {
  readonly #space: Space;
  #counts: Uint8Array;
  readonly #large = new Map<number, number>();
  /** 1 where the committed version has a count. */
  #committed: Uint8Array;
  #nrAllocated = 0;
  #begin = 0;

  /** @param space - What a {@link NoSpaceError} of this map calls it. */
  constructor(nrBlocks: number, space: Space = 'metadata') {
    this.#space = space;
    this.#counts = new Uint8Array(nrBlocks);
    this.#committed = new Uint8Array(nrBlocks);
  }

  get nrBlocks(): number {
    return this.#counts.length;
  }

  get nrFree(): number {
    return this.nrBlocks - this.#nrAllocated;
  }

  getCount(b: number): number {
    const count = this.#counts[b];
    if (count === undefined) {
      throw new CorruptionError(`Cannot count block ${b}: the space has ${this.nrBlocks} blocks`, {
        block: b,
        field: 'blocknr',
      });
    }
    return count === 255 ? this.#large.get(b)! : count;
  }

  countIsMoreThanOne(b: number): boolean {
    return this.getCount(b) > 1;
  }

  setCount(b: number, count: number): void {
    const old = this.getCount(b);
    if (old === 0 && count > 0) this.#nrAllocated++;
    if (old > 0 && count === 0) this.#nrAllocated--;
    this.#counts[b] = Math.min(count, 255);
    if (count >= 255) this.#large.set(b, count);
    else if (old >= 255) this.#large.delete(b);
  }

  incRange(begin: number, end: number): void {
    for (let b = begin; b < end; b++) this.setCount(b, this.getCount(b) + 1);
  }

  decRange(begin: number, end: number): void {
    for (let b = begin; b < end; b++) {
      const count = this.getCount(b);
      if (count === 0)
        throw new CorruptionError(`Cannot decrement the count of block ${b}: it is 0`, { block: b, field: 'count' });
      this.setCount(b, count - 1);
    }
  }

  newBlock(): number {
    const nr = this.nrBlocks;
    for (let looked = 0; looked < nr; looked++) {
      const b = (this.#begin + looked) % nr;
      if (this.#counts[b] === 0 && this.#committed[b] === 0) {
        this.#begin = b + 1;
        this.setCount(b, 1);
        return b;
      }
    }
    throw new NoSpaceError(
      `Cannot allocate a ${this.#space} block: all ${nr} are in use or were until the last commit`,
      this.#space,
    );
  }

  extend(extra: number): void {
    assert(extra >= 0, 'a space map is extended by a count');
    const counts = new Uint8Array(this.nrBlocks + extra);
    counts.set(this.#counts);
    const committed = new Uint8Array(counts.length);
    committed.set(this.#committed);
    this.#counts = counts;
    this.#committed = committed;
  }

  commit(): void {
    this.#committed = this.#counts.slice();
  }
}
