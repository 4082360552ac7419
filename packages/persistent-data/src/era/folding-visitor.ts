import type { EraVisitor, EraXmlSuperblock } from './visitor.ts';

/**
 * Folds writesets into the era array on their way to another visitor, which gets an array only: each block's era. For sources that come once, such as a
 * salvage; takes 4 bytes per block.
 */
export class FoldingVisitor implements EraVisitor {
  readonly #target: EraVisitor;
  #eras = new Uint32Array(0);
  #era = 0;

  constructor(target: EraVisitor) {
    this.#target = target;
  }

  superblockBegin(superblock: EraXmlSuperblock): void {
    this.#eras = new Uint32Array(superblock.nrBlocks);
    this.#target.superblockBegin(superblock);
  }

  /** Writesets come by era: a later one overwrites. */
  writesetBegin(era: number): void {
    this.#era = era;
  }

  bits(words: Uint32Array, at: number, begin: number, end: number): void {
    const eras = this.#eras;
    for (let block = begin; block < Math.min(end, eras.length); block++) {
      const bit = block - begin;
      if (((words[at + (bit >>> 5)]! >>> (bit & 31)) & 1) === 1) eras[block] = this.#era;
    }
  }

  writesetEnd(): void {}

  eraArrayBegin(): void {
    this.#target.eraArrayBegin();
  }

  eras(values: Uint32Array, at: number, begin: number, count: number): void {
    const folded = this.#eras;
    for (let i = 0; i < count; i++) if (folded[begin + i] === 0) folded[begin + i] = values[at + i]!;
    this.#target.eras(folded, begin, begin, count);
  }

  eraArrayEnd(): void {
    this.#target.eraArrayEnd();
  }

  superblockEnd(): void {
    this.#target.superblockEnd();
  }
}
