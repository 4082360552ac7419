import { type ByteSink, Literal, TextWriter } from '../xml/index.ts';
import type { EraVisitor, EraXmlSuperblock } from './visitor.ts';

const WRITTEN = new Literal('{"type":"written","begin":');
const ERAS = new Literal('{"type":"eras","begin":');
const END = new Literal(',"end":');
const ERA = new Literal(',"era":');
const LINE_END = new Literal('}\n');
const NONE = -1;

/**
 * Writes era metadata as NDJSON, one object a line: `superblock`; for each writeset `writeset`, and `written` for each run of blocks that were written in
 * that era; `eras` for each run of blocks that were last written in one era; `end`. Runs are half-open and as long as can be, blocks of era 0 are left out.
 * A file without the line `end` is not whole.
 */
export class EraNdjsonWriter implements EraVisitor {
  readonly #text: TextWriter;
  /** The run that is open: of blocks whose bits are set, or of one era. */
  #begin = NONE;
  #end = 0;
  #era = 0;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#text = new TextWriter(sink);
  }

  superblockBegin(superblock: EraXmlSuperblock): void {
    this.#line({ type: 'superblock', ...superblock });
  }

  superblockEnd(): void {
    this.#line({ type: 'end' });
    this.#text.flush();
  }

  writesetBegin(era: number, nrBits: number): void {
    this.#line({ type: 'writeset', era, nrBits });
  }

  writesetEnd(): void {
    this.#endWritten();
  }

  bits(words: Uint32Array, at: number, begin: number, end: number): void {
    if (begin !== this.#end) this.#endWritten();
    for (let block = begin; block < end; ) {
      const bit = (block - begin) & 31;
      const word = words[at + ((block - begin) >>> 5)]!;
      // Whole words of one kind are passed at once.
      const isWhole = bit === 0 && end - block >= 32;
      if (isWhole && (word === 0 || word === 0xffff_ffff)) {
        this.#note(block, word !== 0);
        block += 32;
      } else {
        this.#note(block, ((word >>> bit) & 1) === 1);
        block++;
      }
    }
    this.#end = end;
  }

  eraArrayBegin(): void {
    this.#end = 0;
  }

  eraArrayEnd(): void {
    this.#endEras();
  }

  eras(values: Uint32Array, at: number, begin: number, count: number): void {
    if (begin !== this.#end) this.#endEras();
    for (let i = 0; i < count; i++) {
      const era = values[at + i]!;
      this.#end = begin + i;
      if (this.#begin !== NONE && era !== this.#era) this.#endEras();
      if (this.#begin === NONE && era !== 0) {
        this.#begin = begin + i;
        this.#era = era;
      }
    }
    this.#end = begin + count;
  }

  /** From `block` on bits are set or not. */
  #note(block: number, isSet: boolean): void {
    this.#end = block;
    if (!isSet) this.#endWritten();
    else if (this.#begin === NONE) this.#begin = block;
  }

  #endWritten(): void {
    if (this.#begin === NONE) return;
    this.#text.two(WRITTEN, this.#begin, END, this.#end, LINE_END);
    this.#begin = NONE;
  }

  #endEras(): void {
    if (this.#begin === NONE) return;
    this.#text.two(ERAS, this.#begin, END, this.#end, ERA);
    this.#text.decimal(this.#era);
    this.#text.literal(LINE_END);
    this.#begin = NONE;
  }

  #line(value: object): void {
    this.#text.text(`${JSON.stringify(value)}\n`);
  }
}
