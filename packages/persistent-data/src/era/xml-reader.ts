import { type LineTaker, XmlGrammar, type XmlHandler, type XmlLine, type XmlTag, XmlTokenizer } from '../xml/index.ts';
import type { EraVisitor } from './visitor.ts';

const MAX_U32 = 0xffff_ffff;

const GRAMMAR = new XmlGrammar('superblock', {
  superblock: {
    required: ['uuid', 'block_size', 'nr_blocks', 'current_era'],
    children: ['writeset', 'era_array'],
  },
  writeset: { required: ['era', 'nr_bits'], children: ['bit', 'marked'] },
  bit: { required: ['block', 'value'] },
  marked: { required: ['block_begin', 'len'] },
  era_array: { children: ['era'] },
  era: { required: ['block', 'era'] },
});

const SUPERBLOCK = GRAMMAR.element('superblock');
const WRITESET = GRAMMAR.element('writeset');
const BIT = GRAMMAR.element('bit');
const MARKED = GRAMMAR.element('marked');
const ERA_ARRAY = GRAMMAR.element('era_array');
const ERA_ELEMENT = GRAMMAR.element('era');
const UUID = GRAMMAR.attribute('uuid');
const BLOCK_SIZE = GRAMMAR.attribute('block_size');
const NR_BLOCKS = GRAMMAR.attribute('nr_blocks');
const CURRENT_ERA = GRAMMAR.attribute('current_era');
const ERA = GRAMMAR.attribute('era');
const NR_BITS = GRAMMAR.attribute('nr_bits');
const BLOCK = GRAMMAR.attribute('block');
const VALUE = GRAMMAR.attribute('value');
const BLOCK_BEGIN = GRAMMAR.attribute('block_begin');
const LEN = GRAMMAR.attribute('len');

/** Words of bits, and eras, that are given to the visitor at once: a window that moves over the blocks. */
const WINDOW_WORDS = 1024;
const WINDOW_BITS = 32 * WINDOW_WORDS;

/**
 * Reads era metadata from XML and gives it to a visitor as it comes. Takes what versions 0.9 and 1.x of the userland tools write, and runs of set bits
 * as `marked` elements; attributes in any order. Blocks that are left out are not set, or of era 0.
 *
 * Constant memory, apart from the eras of writesets. Measured by `npm run bench -- tools --family era`.
 *
 * @param source - The text in pieces, cut anywhere; a piece may be overwritten when the next is asked for.
 * @throws {ParseError} when it is not well-formed or ends too early (see {@link XmlTokenizer}); on unknown, missing, misplaced or
 *   repeated elements and attributes; on numbers out of range: blocks beyond `nr_bits` or `nr_blocks`, eras beyond `current_era`; when blocks do not
 *   increase, or an era has two writesets. The visitor has then seen all up to there, and no `superblockEnd`.
 */
export function readEraXml(source: Iterable<Uint8Array>, visitor: EraVisitor): void {
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, new EraXmlHandler(visitor));
  for (const chunk of source) tokenizer.push(chunk);
  tokenizer.end();
}

/** The same as {@link readEraXml} from a source that has to be waited for, such as a stream. The visitor is called between waits. */
export async function readEraXmlAsync(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  visitor: EraVisitor,
): Promise<void> {
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, new EraXmlHandler(visitor));
  for await (const chunk of source) tokenizer.push(chunk);
  tokenizer.end();
}

class EraXmlHandler implements XmlHandler {
  readonly lines: readonly XmlLine[];
  readonly #visitor: EraVisitor;
  #nrBlocks = 0;
  #currentEra = 0;
  #nrBits = 0;
  readonly #eras = new Set<number>();
  #hasArray = false;
  /** The first block that may come next. */
  #next = 0;
  /** Bits or eras from block {@link #begin} on. */
  readonly #window = new Uint32Array(WINDOW_WORDS);
  #begin = 0;
  /** Whether something is in the window that has not been given to the visitor. */
  #isFilled = false;

  constructor(visitor: EraVisitor) {
    this.#visitor = visitor;
    // Bits and eras as all tools write them, which is nearly all of the text.
    const bit: LineTaker = (values) => this.#takeBit(values[0]!, values[1] === 0);
    const era: LineTaker = (values) => this.#takeEra(values[0]!, values[1]!);
    const value = ['true', 'false'];
    this.lines = [
      GRAMMAR.line(
        'bit',
        'writeset',
        [
          ['block', 'number'],
          ['value', value],
        ],
        bit,
      ),
      GRAMMAR.line(
        'era',
        'era_array',
        [
          ['block', 'number'],
          ['era', 'number'],
        ],
        era,
      ),
    ];
  }

  open(tag: XmlTag): void {
    GRAMMAR.check(tag);
    const { element } = tag;
    if (element === BIT) this.#bit(tag);
    else if (element === ERA_ELEMENT) this.#era(tag);
    else if (element === MARKED) this.#marked(tag);
    else if (element === WRITESET) this.#writeset(tag);
    else if (element === ERA_ARRAY) this.#eraArray(tag);
    else if (element === SUPERBLOCK) this.#superblock(tag);
  }

  close(tag: XmlTag): void {
    const { element } = tag;
    if (element === WRITESET) {
      this.#giveBits();
      this.#visitor.writesetEnd();
    } else if (element === ERA_ARRAY) {
      this.#giveEras();
      this.#visitor.eraArrayEnd();
    } else if (element === SUPERBLOCK) {
      this.#visitor.superblockEnd();
    }
  }

  #superblock(tag: XmlTag): void {
    this.#nrBlocks = tag.number(NR_BLOCKS, MAX_U32);
    this.#currentEra = tag.number(CURRENT_ERA, MAX_U32);
    this.#visitor.superblockBegin({
      uuid: tag.text(UUID),
      blockSize: tag.number(BLOCK_SIZE, MAX_U32),
      nrBlocks: this.#nrBlocks,
      currentEra: this.#currentEra,
    });
  }

  #writeset(tag: XmlTag): void {
    const era = tag.number(ERA, MAX_U32);
    if (era > this.#currentEra) throw this.#late(tag, era);
    if (this.#eras.has(era)) throw tag.error(`Cannot read <writeset>: found era ${era} again`, ERA);
    this.#eras.add(era);
    this.#nrBits = tag.number(NR_BITS, MAX_U32);
    this.#startWindow();
    this.#visitor.writesetBegin(era, this.#nrBits);
  }

  #eraArray(tag: XmlTag): void {
    if (this.#hasArray) throw tag.error('Cannot read <superblock>: found <era_array> again');
    this.#hasArray = true;
    this.#startWindow();
    this.#visitor.eraArrayBegin();
  }

  #bit(tag: XmlTag): void {
    const block = tag.number(BLOCK, MAX_U32);
    const value = tag.text(VALUE);
    if (value !== 'true' && value !== 'false') throw tag.error('provided string was not `true` or `false`', VALUE);
    if (!this.#takeBit(block, value === 'true')) throw this.#misplaced(tag, block, this.#nrBits, BLOCK);
  }

  /** Answers whether the block is one that may come next. */
  #takeBit(block: number, value: boolean): boolean {
    if (block < this.#next) return false;
    // A dump has a bit for each block that there is now, also of an era in which there were fewer.
    if (block >= this.#nrBits && (value || block >= this.#nrBlocks)) return false;
    this.#next = block + 1;
    if (!value) return true;
    if (block - this.#begin >= WINDOW_BITS || !this.#isFilled) this.#moveTo(block);
    const bit = block - this.#begin;
    this.#window[bit >>> 5]! |= 1 << (bit & 31);
    return true;
  }

  #marked(tag: XmlTag): void {
    const begin = tag.number(BLOCK_BEGIN, MAX_U32);
    const len = tag.number(LEN, MAX_U32);
    const end = begin + len;
    if (begin < this.#next) throw this.#misplaced(tag, begin, this.#nrBits, BLOCK_BEGIN);
    if (end > this.#nrBits) throw this.#misplaced(tag, end - 1, this.#nrBits, BLOCK_BEGIN);
    this.#next = end;
    for (let block = begin; block < end; ) {
      if (block - this.#begin >= WINDOW_BITS || !this.#isFilled) this.#moveTo(block);
      const bit = block - this.#begin;
      const nr = Math.min(32 - (bit & 31), end - block);
      // A run of 32 bits from the first bit of a word has no room in a shift.
      this.#window[bit >>> 5]! |= nr === 32 ? 0xffff_ffff : ((1 << nr) - 1) << (bit & 31);
      block += nr;
    }
  }

  #era(tag: XmlTag): void {
    const block = tag.number(BLOCK, MAX_U32);
    const era = tag.number(ERA, MAX_U32);
    if (this.#takeEra(block, era)) return;
    throw era > this.#currentEra ? this.#late(tag, era) : this.#misplaced(tag, block, this.#nrBlocks, BLOCK);
  }

  /** Answers whether the block is one that may come next, and the era has been. */
  #takeEra(block: number, era: number): boolean {
    if (block < this.#next || block >= this.#nrBlocks || era > this.#currentEra) return false;
    this.#next = block + 1;
    if (block - this.#begin >= WINDOW_WORDS || !this.#isFilled) {
      this.#giveEras();
      this.#begin = block;
      this.#isFilled = true;
    }
    this.#window[block - this.#begin] = era;
    return true;
  }

  #startWindow(): void {
    this.#next = 0;
    this.#begin = 0;
    this.#isFilled = false;
    this.#window.fill(0);
  }

  /** Gives what is in the window to the visitor, and makes room for the bits from a block on. */
  #moveTo(block: number): void {
    this.#giveBits();
    this.#begin = block - (block % 64);
    this.#isFilled = true;
  }

  #giveBits(): void {
    if (!this.#isFilled) return;
    // No bit is set behind the last block that came.
    const end = Math.min(this.#nrBits, this.#begin + WINDOW_BITS);
    this.#visitor.bits(this.#window, 0, this.#begin, end);
    this.#isFilled = false;
    this.#window.fill(0);
  }

  #giveEras(): void {
    if (!this.#isFilled) return;
    const count = Math.min(this.#nrBlocks, this.#begin + WINDOW_WORDS) - this.#begin;
    this.#visitor.eras(this.#window, 0, this.#begin, count);
    this.#isFilled = false;
    this.#window.fill(0);
  }

  #late(tag: XmlTag, era: number): Error {
    return tag.error(`Cannot read <${tag.name}>: found era ${era}, current_era is ${this.#currentEra}`, ERA);
  }

  #misplaced(tag: XmlTag, block: number, nrBlocks: number, attribute: number): Error {
    const found = `Cannot read <${tag.name}>: found block ${block}`;
    if (block >= nrBlocks) return tag.error(`${found}, there are ${nrBlocks}`, attribute);
    return tag.error(`${found} behind ${this.#next - 1}, blocks in increasing order are wanted`, attribute);
  }
}
