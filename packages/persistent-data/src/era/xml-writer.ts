import { type ByteSink, Literal, XmlWriter } from '../xml/index.ts';
import type { EraVisitor, EraXmlSuperblock } from './visitor.ts';

const BIT = new Literal('\n    <bit block="');
const TRUE = new Literal('" value="true"/>');
const FALSE = new Literal('" value="false"/>');
const ERA_BLOCK = new Literal('\n    <era block="');
const ERA = new Literal('" era="');
const END = new Literal('"/>');

/**
 * Writes era metadata as XML, to the byte as version 1.x of the userland tools does: a `bit` for each block that there is, no line feed at the end.
 *
 * Measured by `npm run bench -- tools --family era`.
 */
export class EraXmlWriter implements EraVisitor {
  readonly #xml: XmlWriter;
  #nrBlocks = 0;
  /** The block whose bit comes next. */
  #next = 0;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#xml = new XmlWriter(sink);
  }

  /** @throws {RangeError} when XML cannot have the uuid. */
  superblockBegin({ uuid, blockSize, nrBlocks, currentEra }: EraXmlSuperblock): void {
    this.#nrBlocks = nrBlocks;
    this.#xml.open('superblock', { uuid, block_size: blockSize, nr_blocks: nrBlocks, current_era: currentEra });
  }

  superblockEnd(): void {
    this.#xml.close();
    this.#xml.flush();
  }

  writesetBegin(era: number, nrBits: number): void {
    this.#next = 0;
    this.#xml.open('writeset', { era, nr_bits: nrBits });
  }

  /** Blocks that the device had no room for in that era were not written then. */
  writesetEnd(): void {
    this.#clearUpTo(this.#nrBlocks);
    this.#xml.close();
  }

  bits(words: Uint32Array, at: number, begin: number, end: number): void {
    this.#clearUpTo(begin);
    const xml = this.#xml;
    for (let block = begin; block < end; block++) {
      const bit = block - begin;
      xml.literal(BIT);
      xml.decimal(block);
      xml.literal(((words[at + (bit >>> 5)]! >>> (bit & 31)) & 1) === 1 ? TRUE : FALSE);
    }
    this.#next = end;
  }

  eraArrayBegin(): void {
    this.#xml.open('era_array');
  }

  eraArrayEnd(): void {
    this.#xml.close();
  }

  eras(values: Uint32Array, at: number, begin: number, count: number): void {
    const xml = this.#xml;
    for (let i = 0; i < count; i++) {
      xml.literal(ERA_BLOCK);
      xml.decimal(begin + i);
      xml.literal(ERA);
      xml.decimal(values[at + i]!);
      xml.literal(END);
    }
  }

  #clearUpTo(end: number): void {
    const xml = this.#xml;
    for (; this.#next < end; this.#next++) {
      xml.literal(BIT);
      xml.decimal(this.#next);
      xml.literal(FALSE);
    }
  }
}
