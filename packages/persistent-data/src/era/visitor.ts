/** What a superblock says in XML. */
export interface EraXmlSuperblock {
  readonly uuid: string;
  /** 512-byte sectors. */
  readonly blockSize: number;
  readonly nrBlocks: number;
  readonly currentEra: number;
}

/**
 * Takes era metadata piece by piece: the other end of a dump, of a reader of XML. In this order: `superblockBegin`; writesets, each with its bits;
 * the era array; `superblockEnd`. What it throws goes to the caller of the source.
 *
 * Bits and eras come in rising order without gaps in a piece; what comes in no piece is clear, or 0.
 */
export interface EraVisitor {
  superblockBegin(superblock: EraXmlSuperblock): void;
  writesetBegin(era: number, nrBits: number): void;
  /**
   * The bits of blocks `begin..end`. `begin` is a multiple of 64; bit i of a word is that of the i-th of its 32 blocks. Bits from `end` on in the last
   * word are anything.
   *
   * @param at - Index, in `words`, of the word with the bit of `begin`. Good during the call.
   */
  bits(words: Uint32Array, at: number, begin: number, end: number): void;
  writesetEnd(): void;
  eraArrayBegin(): void;
  /** The eras of blocks `begin..begin + count`, the first at `values[at]`. Good during the call. */
  eras(values: Uint32Array, at: number, begin: number, count: number): void;
  eraArrayEnd(): void;
  superblockEnd(): void;
}
