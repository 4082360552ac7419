import type { U64 } from '../base/index.ts';
import { type ByteSink, Literal, TextWriter } from '../xml/index.ts';
import type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';

const COMMA = new Literal(',');
const MAP = new Literal('{"type":"map","originBegin":');
const DATA = new Literal(',"dataBegin":');
const LENGTH = new Literal(',"length":');
const TIME = new Literal(',"time":');
const END = new Literal('}\n');
const CSV_END = new Literal(',\n');

/** A number as JSON has it; as text beyond 2^53, so that it stays exact. */
function exact(value: U64): number | string {
  return typeof value === 'bigint' && value > BigInt(Number.MAX_SAFE_INTEGER) ? String(value) : Number(value);
}

/**
 * Writes thin metadata as NDJSON, one object a line: `superblock`, `def`, `device`, `map`, `ref` and `end`, in the order of a dump. What belongs to a def
 * or device follows it, up to the next one. A file without the line `end` is not whole.
 */
export class ThinNdjsonWriter implements ThinVisitor {
  readonly #text: TextWriter;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#text = new TextWriter(sink);
  }

  superblockBegin({ transaction, ...superblock }: ThinXmlSuperblock): void {
    this.#line({ type: 'superblock', ...superblock, transaction: exact(transaction) });
  }

  superblockEnd(): void {
    this.#line({ type: 'end' });
    this.#text.flush();
  }

  defBegin(name: string): void {
    this.#line({ type: 'def', name });
  }

  defEnd(): void {}

  deviceBegin({ transaction, ...device }: ThinXmlDevice): void {
    this.#line({ type: 'device', ...device, transaction: exact(transaction) });
  }

  deviceEnd(): void {}

  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    const text = this.#text;
    text.literal(MAP);
    text.decimal(originBegin);
    text.literal(DATA);
    text.decimal(dataBegin);
    text.literal(LENGTH);
    text.decimal(length);
    text.literal(TIME);
    text.decimal(time);
    text.literal(END);
  }

  ref(name: string): void {
    this.#line({ type: 'ref', name });
  }

  #line(value: object): void {
    this.#text.text(`${JSON.stringify(value)}\n`);
  }
}

/**
 * Writes mappings as CSV (RFC 4180, but with line feeds): one line for each run, and one for each def that a device refers to, whose mappings are in
 * the lines of that def. Superblock and details are left out.
 */
export class ThinCsvWriter implements ThinVisitor {
  readonly #text: TextWriter;
  #owner = new Literal('');

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#text = new TextWriter(sink);
  }

  superblockBegin(): void {
    this.#text.text('owner,id,origin_begin,data_begin,length,time,ref\n');
  }

  superblockEnd(): void {
    this.#text.flush();
  }

  defBegin(name: string): void {
    this.#owner = new Literal(`def,${name},`);
  }

  defEnd(): void {}

  deviceBegin({ devId }: ThinXmlDevice): void {
    this.#owner = new Literal(`device,${devId},`);
  }

  deviceEnd(): void {}

  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    const text = this.#text;
    text.literal(this.#owner);
    text.decimal(originBegin);
    text.literal(COMMA);
    text.decimal(dataBegin);
    text.literal(COMMA);
    text.decimal(length);
    text.literal(COMMA);
    text.decimal(time);
    text.literal(CSV_END);
  }

  ref(name: string): void {
    this.#text.literal(this.#owner);
    this.#text.text(`,,,,${name}\n`);
  }
}
