import { Bitset } from '../bitset/index.ts';
import { arrayEntriesFor } from '../format/index.ts';
import { type EraCore, longEnough } from './era-core.ts';
import type { Writeset } from './writeset.ts';

/** Bit positions that one step looks at, as in the kernel: the worker has other things to do in between. */
const BITS_PER_STEP = 100;

/**
 * Moves one archived writeset into the era array: for each of its bits that is set, the block's era. Then the writeset goes. It can be left off
 * after any step, also by a crash: done again from the beginning it comes to the same.
 */
export class Digestion {
  readonly era: number;
  readonly #core: EraCore;
  readonly #writeset: Writeset;
  readonly #bits: Bitset;
  #next = 0;

  private constructor(core: EraCore, era: number, writeset: Writeset) {
    this.#core = core;
    this.era = era;
    this.#writeset = writeset;
    // A fresh one for each writeset: a word kept from another one would be taken for this one's.
    this.#bits = new Bitset(core.tm, writeset.root);
  }

  /** The digestion of the oldest writeset; `undefined` when there is none. Eras have to be digested in order, as later ones overwrite. */
  static ofOldest(core: EraCore): Digestion | undefined {
    const oldest = core.writesets.lookupNext(core.writesetTreeRoot, 0);
    return oldest === undefined ? undefined : new Digestion(core, Number(oldest.key), oldest.value);
  }

  /** Looks at the next bits. Answers whether the writeset is digested; after that the digestion is used up. */
  step(): boolean {
    const core = this.#core;
    // The device may have shrunk since that era.
    const end = Math.min(this.#writeset.nrBits, core.nrBlocks);
    const stepEnd = Math.min(end, this.#next + BITS_PER_STEP);
    longEnough(core, this.era, this.#writeset, () => this.#digest(stepEnd));
    if (stepEnd < end) return false;
    core.writesetTreeRoot = core.writesets.remove(core.writesetTreeRoot, this.era);
    return true;
  }

  #digest(end: number): void {
    const core = this.#core;
    const perBlock = arrayEntriesFor(core.eras.valueType.size);
    for (let b = this.#bits.nextSet(this.#next, end); b >= 0; b = this.#bits.nextSet(this.#next, end)) {
      const index = Math.floor(b / perBlock);
      const first = index * perBlock;
      const blockEnd = Math.min(end, first + perBlock);
      const found: number[] = [];
      for (let bit = b; bit >= 0; bit = this.#bits.nextSet(bit + 1, blockEnd)) found.push(bit - first);
      core.eraArrayRoot = core.eras.changeBlock(core.eraArrayRoot, index, (view) => {
        const at = view.valueAt(0) >>> 2;
        for (const slot of found) if (slot < view.nrEntries) view.words[at + slot] = this.era;
      });
      this.#next = blockEnd;
    }
    this.#next = end;
  }
}
