import { assert } from '../base/index.ts';
import { CountBins } from './count-bins.ts';

/** Blocks per page of counts. The system gives a page's memory when it is touched. */
const PAGE_SHIFT = 28;
const PAGE = 1 << PAGE_SHIFT;
/** Below, block numbers are taken apart as integers, which is several times as fast. */
const SMALL = 2 ** 31;
/** What a byte says when the count is in the table of large ones. */
const LARGE = 255;
/** In spaces of fewer blocks all counts fit into a processor's second cache, and it does not matter in which order they are raised. */
const MANY = 1 << 18;

/**
 * Counts references to the blocks of a space, as a check finds them: one byte a block, where the system gives memory as it is touched, and a table for
 * counts of 255 and more. A space of any claimed size costs what is counted in it.
 */
export class ReferenceCounter {
  /** Blocks in the space. */
  readonly nrBlocks: number;
  readonly #pages: (Uint8Array | undefined)[] = [];
  readonly #large = new Map<number, number>();
  /** Blocks that wait for being counted, where counts are many and all in one page. */
  #bins: CountBins | undefined;

  constructor(nrBlocks: number) {
    this.nrBlocks = nrBlocks;
  }

  /** Adds one to the count of block `b`, which is in the space, and answers the count before. */
  inc(b: number): number {
    this.#bins?.flush();
    const index = b < SMALL ? b >>> PAGE_SHIFT : Math.floor(b / PAGE);
    const page = this.#pages[index] ?? this.#makePage(b, index);
    const at = b < SMALL ? b & (PAGE - 1) : b - index * PAGE;
    const count = page[at]!;
    if (count < LARGE - 1) {
      page[at] = count + 1;
      return count;
    }
    return this.#incLarge(b, page, at);
  }

  /** Adds one to the counts of the first `nr` of `blocks`. Where blocks are scattered this is several times as fast as one call for each. */
  incAll(blocks: Float64Array, nr: number): void {
    const bins = this.#binsIfMany();
    if (bins !== undefined) bins.addAll(blocks, nr);
    else for (let i = 0; i < nr; i++) this.inc(blocks[i]!);
  }

  #binsIfMany(): CountBins | undefined {
    if (this.#bins === undefined && this.nrBlocks >= MANY && this.nrBlocks <= PAGE) {
      const page = this.#pages[0] ?? this.#makePage(0, 0);
      this.#bins = new CountBins(page, (b) => this.#incLarge(b, page, b));
    }
    return this.#bins;
  }

  /**
   * {@link incAll} for blocks in the upper 40 bits of `nr` u64s, the first of which is at word offset `at`: how mappings have them.
   * @returns How many of them are outside the space, and so were not counted.
   */
  incPacked(words: Uint32Array, at: number, nr: number): number {
    const end = at + 2 * nr;
    const bins = this.#binsIfMany();
    if (bins !== undefined) return bins.addPacked(words, at, end);
    let nrOutside = 0;
    for (let word = at; word < end; word += 2) {
      const b = words[word + 1]! * 256 + (words[word]! >>> 24);
      if (b < this.nrBlocks) this.inc(b);
      else nrOutside++;
    }
    return nrOutside;
  }

  /** Takes one from the count of block `b`, which is above 0. */
  dec(b: number): void {
    this.#bins?.flush();
    const count = this.count(b);
    assert(count > 0, 'a reference that is given up was counted');
    const index = Math.floor(b / PAGE);
    this.#pages[index]![b - index * PAGE] = Math.min(count - 1, LARGE);
    if (count - 1 >= LARGE) this.#large.set(b, count - 1);
    else this.#large.delete(b);
  }

  /** The count of block `b`. */
  count(b: number): number {
    this.#bins?.flush();
    const index = Math.floor(b / PAGE);
    const page = this.#pages[index];
    if (page === undefined) return 0;
    const count = page[b - index * PAGE]!;
    return count === LARGE ? this.#large.get(b)! : count;
  }

  /** Copies the counts of `begin..begin + target.length` to `target`; counts of 255 and more come out as 255. */
  copyBytes(begin: number, target: Uint8Array): void {
    this.#bins?.flush();
    for (let done = 0; done < target.length; ) {
      const index = Math.floor((begin + done) / PAGE);
      const from = begin + done - index * PAGE;
      const length = Math.min(PAGE - from, target.length - done);
      const page = this.#pages[index];
      if (page === undefined) target.fill(0, done, done + length);
      else target.set(page.subarray(from, from + length), done);
      done += length;
    }
  }

  #incLarge(b: number, page: Uint8Array, at: number): number {
    const count = page[at] === LARGE ? this.#large.get(b)! : page[at]!;
    page[at] = LARGE;
    this.#large.set(b, count + 1);
    return count;
  }

  #makePage(b: number, index: number): Uint8Array {
    assert(b >= 0 && b < this.nrBlocks, 'a block that is counted is in the space');
    const page = new Uint8Array(Math.min(PAGE, this.nrBlocks - index * PAGE));
    this.#pages[index] = page;
    return page;
  }
}
