import { type ByteSink, Literal, TextWriter } from '../xml/index.ts';
import type { CacheVisitor, CacheXmlSuperblock } from './visitor.ts';

const MAPPING = new Literal('{"type":"mapping","cacheBlock":');
const ORIGIN = new Literal(',"originBlock":');
const DIRTY = new Literal(',"dirty":true}\n');
const CLEAN = new Literal(',"dirty":false}\n');
const HINT = new Literal('{"type":"hint","cacheBlock":');
const DATA = new Literal(',"data":"');
const HINT_END = new Literal('"}\n');

/**
 * Writes cache metadata as NDJSON, one object a line: `superblock`, `mapping`s, `hint`s and `end`, in the order of a dump. A hint's data are its bytes in
 * base64, as in XML. A file without the line `end` is not whole.
 */
export class CacheNdjsonWriter implements CacheVisitor {
  readonly #text: TextWriter;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#text = new TextWriter(sink);
  }

  superblockBegin(superblock: CacheXmlSuperblock): void {
    this.#text.text(`${JSON.stringify({ type: 'superblock', ...superblock })}\n`);
  }

  superblockEnd(): void {
    this.#text.text(`${JSON.stringify({ type: 'end' })}\n`);
    this.#text.flush();
  }

  mappingsBegin(): void {}

  mappingsEnd(): void {}

  mapping(cacheBlock: number, originBlock: number, dirty: boolean): void {
    this.#text.two(MAPPING, cacheBlock, ORIGIN, originBlock, dirty ? DIRTY : CLEAN);
  }

  hintsBegin(): void {}

  hintsEnd(): void {}

  hint(cacheBlock: number, value: number): void {
    const text = this.#text;
    text.literal(HINT);
    text.decimal(cacheBlock);
    text.literal(DATA);
    text.base64U32(value);
    text.literal(HINT_END);
  }
}
