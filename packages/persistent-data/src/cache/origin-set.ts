/** Origin blocks below are kept as bits: 2^29 bits, 64 MiB, of which the system gives what is touched. */
const MAX_BIT = 2 ** 29;
/** Bits of a page: 2 MiB. */
const PAGE_SHIFT = 24;
const PAGE_WORDS = 1 << (PAGE_SHIFT - 5);
const EMPTY = -1;

/** A set of origin blocks, in which to find those that come twice. Small numbers take a bit each, others some 16 bytes. */
export class OriginSet {
  readonly #pages: (Uint32Array | undefined)[] = [];
  /** Open addressing; at most half full. */
  #table = new Float64Array(64).fill(EMPTY);
  #nrInTable = 0;

  /** Adds a block below 2^48. Answers whether it was there before. */
  add(block: number): boolean {
    if (block >= MAX_BIT) return this.#addToTable(block);
    const index = block >>> PAGE_SHIFT;
    const page = this.#pages[index] ?? this.#makePage(index);
    const word = (block >>> 5) & (PAGE_WORDS - 1);
    const mask = 1 << (block & 31);
    const before = page[word]!;
    page[word] = before | mask;
    return (before & mask) !== 0;
  }

  #makePage(index: number): Uint32Array {
    const page = new Uint32Array(PAGE_WORDS);
    this.#pages[index] = page;
    return page;
  }

  #addToTable(block: number): boolean {
    if (2 * (this.#nrInTable + 1) > this.#table.length) this.#grow();
    const at = slotOf(this.#table, block);
    if (this.#table[at] === block) return true;
    this.#table[at] = block;
    this.#nrInTable++;
    return false;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Float64Array(2 * old.length).fill(EMPTY);
    for (const block of old) if (block !== EMPTY) this.#table[slotOf(this.#table, block)] = block;
  }
}

/** Where a block is, or where there is room for it. */
function slotOf(table: Float64Array, block: number): number {
  const mask = table.length - 1;
  let at = (Math.imul(block | 0, 0x9e37_79b1) ^ Math.imul((block / 65_536) | 0, 0x85eb_ca6b)) & mask;
  while (table[at] !== EMPTY && table[at] !== block) at = (at + 1) & mask;
  return at;
}
