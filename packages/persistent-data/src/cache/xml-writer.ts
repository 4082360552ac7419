import { type ByteSink, Literal, XmlWriter } from '../xml/index.ts';
import type { CacheVisitor, CacheXmlSuperblock } from './visitor.ts';

/* What stands around the values of an element of which there are millions: all are two levels deep. */
const MAPPING = new Literal('\n    <mapping cache_block="');
const ORIGIN_BLOCK = new Literal('" origin_block="');
const DIRTY = new Literal('" dirty="true"/>');
const CLEAN = new Literal('" dirty="false"/>');
const HINT = new Literal('\n    <hint cache_block="');
const DATA = new Literal('" data="');
const END = new Literal('"/>');

/** Writes cache metadata as XML, to the byte as version 1.x of the userland tools does: no line feed at the end. */
export class CacheXmlWriter implements CacheVisitor {
  readonly #xml: XmlWriter;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#xml = new XmlWriter(sink);
  }

  /** @throws {RangeError} when XML cannot have the uuid or the policy's name. */
  superblockBegin({ uuid, blockSize, nrCacheBlocks, policy, hintWidth }: CacheXmlSuperblock): void {
    this.#xml.open('superblock', {
      uuid,
      block_size: blockSize,
      nr_cache_blocks: nrCacheBlocks,
      policy,
      hint_width: hintWidth,
    });
  }

  superblockEnd(): void {
    this.#xml.close();
    this.#xml.flush();
  }

  mappingsBegin(): void {
    this.#xml.open('mappings');
  }

  mappingsEnd(): void {
    this.#xml.close();
  }

  mapping(cacheBlock: number, originBlock: number, dirty: boolean): void {
    const xml = this.#xml;
    xml.literal(MAPPING);
    xml.decimal(cacheBlock);
    xml.literal(ORIGIN_BLOCK);
    xml.decimal(originBlock);
    xml.literal(dirty ? DIRTY : CLEAN);
  }

  hintsBegin(): void {
    this.#xml.open('hints');
  }

  hintsEnd(): void {
    this.#xml.close();
  }

  hint(cacheBlock: number, value: number): void {
    const xml = this.#xml;
    xml.literal(HINT);
    xml.decimal(cacheBlock);
    xml.literal(DATA);
    xml.base64U32(value);
    xml.literal(END);
  }
}
