import {
  type LineTaker,
  shorten,
  XmlGrammar,
  type XmlHandler,
  type XmlLine,
  type XmlTag,
  XmlTokenizer,
} from '../xml/index.ts';
import { MAX_ORIGIN_BLOCK } from './mapping.ts';
import { OriginSet } from './origin-set.ts';
import { hintSizeProblem, KNOWN_POLICIES, policyNameProblem } from './policy.ts';
import { isCacheBlockSize } from './superblock.ts';
import type { CacheVisitor } from './visitor.ts';

const MAX_U32 = 0xffff_ffff;

const GRAMMAR = new XmlGrammar('superblock', {
  superblock: {
    required: ['uuid', 'block_size', 'nr_cache_blocks', 'policy', 'hint_width'],
    children: ['mappings', 'hints'],
  },
  mappings: { children: ['mapping'] },
  mapping: { required: ['cache_block', 'origin_block', 'dirty'] },
  hints: { children: ['hint'] },
  hint: { required: ['cache_block', 'data'] },
});

const SUPERBLOCK = GRAMMAR.element('superblock');
const MAPPINGS = GRAMMAR.element('mappings');
const MAPPING = GRAMMAR.element('mapping');
const HINTS = GRAMMAR.element('hints');

const UUID = GRAMMAR.attribute('uuid');
const BLOCK_SIZE = GRAMMAR.attribute('block_size');
const NR_CACHE_BLOCKS = GRAMMAR.attribute('nr_cache_blocks');
const POLICY = GRAMMAR.attribute('policy');
const HINT_WIDTH = GRAMMAR.attribute('hint_width');
const CACHE_BLOCK = GRAMMAR.attribute('cache_block');
const ORIGIN_BLOCK = GRAMMAR.attribute('origin_block');
const DIRTY = GRAMMAR.attribute('dirty');
const DATA = GRAMMAR.attribute('data');

/** Characters of four bytes in base64. */
const HINT_CHARACTERS = 8;
const NO_DIGIT = 255;
const BASE64 = new Uint8Array(128).fill(NO_DIGIT);
for (const [i, c] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  BASE64[c.charCodeAt(0)] = i;
}

/**
 * Reads cache metadata from XML and gives it to a visitor as it comes. Constant memory, but for the set of origin blocks, a bit each.
 *
 * @param source - The text in pieces, cut anywhere; a piece may be overwritten when the next is asked for.
 * @throws {ParseError} when it is not well-formed or ends too early; on unknown, missing, misplaced or repeated elements and attributes; on numbers out
 *   of range; on policies that nobody knows, hints that are not of 4 bytes, cache blocks beyond the cache or not increasing, and origin blocks that
 *   are mapped twice. The visitor has then seen all up to there, and no `superblockEnd`.
 */
export function readCacheXml(source: Iterable<Uint8Array>, visitor: CacheVisitor): void {
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, new CacheXmlHandler(visitor));
  for (const chunk of source) tokenizer.push(chunk);
  tokenizer.end();
}

/** The same as {@link readCacheXml} from a source that has to be waited for, such as a stream. The visitor is called between waits. */
export async function readCacheXmlAsync(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  visitor: CacheVisitor,
): Promise<void> {
  const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, new CacheXmlHandler(visitor));
  for await (const chunk of source) tokenizer.push(chunk);
  tokenizer.end();
}

/** How far a document has come. Both lists come once, mappings first. */
type Stage = 'begin' | 'mappings' | 'between' | 'hints' | 'end';

class CacheXmlHandler implements XmlHandler {
  readonly lines: readonly XmlLine[];
  readonly #visitor: CacheVisitor;
  readonly #origins = new OriginSet();
  #stage: Stage = 'begin';
  #nrCacheBlocks = 0;
  /** The last cache block of the list that is open. */
  #last = -1;

  constructor(visitor: CacheVisitor) {
    this.#visitor = visitor;
    // Both lists as all tools write them, which is nearly all of the text. What is wrong is read as a tag, for an error with its place.
    const mapping: LineTaker = (values) => this.#takeMapping(values[0]!, values[1]!, values[2] === 0);
    const hint: LineTaker = (values) => this.#takeHint(values[0]!, values[1]! >>> 0);
    const dirty = ['true', 'false'];
    this.lines = [
      GRAMMAR.line(
        'mapping',
        'mappings',
        [
          ['cache_block', 'number'],
          ['origin_block', 'number'],
          ['dirty', dirty],
        ],
        mapping,
      ),
      GRAMMAR.line(
        'hint',
        'hints',
        [
          ['cache_block', 'number'],
          ['data', 'base64'],
        ],
        hint,
      ),
    ];
  }

  open(tag: XmlTag): void {
    GRAMMAR.check(tag);
    const { element } = tag;
    if (element === MAPPING) this.#mapping(tag);
    else if (element === SUPERBLOCK) this.#superblock(tag);
    else if (element === MAPPINGS) this.#list(tag, 'begin', 'mappings');
    else if (element === HINTS) this.#list(tag, 'between', 'hints');
    else this.#hint(tag);
  }

  close(tag: XmlTag): void {
    const { element } = tag;
    if (element === MAPPINGS) {
      this.#stage = 'between';
      this.#visitor.mappingsEnd();
    } else if (element === HINTS) {
      this.#stage = 'end';
      this.#visitor.hintsEnd();
    } else if (element === SUPERBLOCK) {
      if (this.#stage !== 'end')
        throw tag.error('Cannot read <superblock>: found no <mappings> and <hints>, both are wanted');
      this.#visitor.superblockEnd();
    }
  }

  #superblock(tag: XmlTag): void {
    const blockSize = tag.number(BLOCK_SIZE, MAX_U32);
    if (!isCacheBlockSize(blockSize)) {
      const wanted = 'a multiple of 64 up to 2097152 is wanted';
      throw tag.error(`invalid cache block size: found ${blockSize} sectors, ${wanted}`, BLOCK_SIZE);
    }
    const policy = tag.text(POLICY);
    const problem = policyNameProblem(policy);
    if (problem !== undefined) throw tag.error(`invalid policy name "${shorten(policy)}": ${problem}`, POLICY);
    // Empty: metadata that was never shut down in order has none.
    if (policy !== '' && !KNOWN_POLICIES.includes(policy)) {
      throw tag.error(`unknown policy "${policy}": one of ${KNOWN_POLICIES.join(', ')} is wanted`, POLICY);
    }
    const hintWidth = tag.number(HINT_WIDTH, MAX_U32);
    const width = hintSizeProblem(hintWidth);
    if (width !== undefined) throw tag.error(`invalid hint width: ${width}`, HINT_WIDTH);
    this.#nrCacheBlocks = tag.number(NR_CACHE_BLOCKS, MAX_U32);
    this.#visitor.superblockBegin({
      uuid: tag.text(UUID),
      blockSize,
      nrCacheBlocks: this.#nrCacheBlocks,
      policy,
      hintWidth,
    });
  }

  #list(tag: XmlTag, wanted: Stage, next: 'mappings' | 'hints'): void {
    if (this.#stage !== wanted) {
      throw tag.error(`Cannot read <${next}>: found it out of place, one <mappings> and then one <hints> are wanted`);
    }
    this.#stage = next;
    this.#last = -1;
    if (next === 'mappings') this.#visitor.mappingsBegin();
    else this.#visitor.hintsBegin();
  }

  #takeMapping(cacheBlock: number, originBlock: number, dirty: boolean): boolean {
    if (cacheBlock <= this.#last || cacheBlock >= this.#nrCacheBlocks) return false;
    // A second time it is read as a tag, which is refused: it is in the set by then.
    if (this.#origins.add(originBlock)) return false;
    this.#last = cacheBlock;
    this.#visitor.mapping(cacheBlock, originBlock, dirty);
    return true;
  }

  #takeHint(cacheBlock: number, value: number): boolean {
    if (cacheBlock <= this.#last || cacheBlock >= this.#nrCacheBlocks) return false;
    this.#last = cacheBlock;
    this.#visitor.hint(cacheBlock, value);
    return true;
  }

  #mapping(tag: XmlTag): void {
    const cacheBlock = this.#cacheBlock(tag);
    const originBlock = tag.number(ORIGIN_BLOCK, MAX_ORIGIN_BLOCK);
    const text = tag.text(DIRTY);
    const dirty = text === 'true';
    if (!dirty && text !== 'false') {
      throw tag.error(`Cannot read <mapping>: dirty is "${shorten(text)}", true or false is wanted`, DIRTY);
    }
    if (this.#origins.add(originBlock)) {
      const found = `origin block ${originBlock} of cache block ${cacheBlock} already mapped`;
      throw tag.error(`Cannot read <mapping>: ${found}, each is wanted once`, ORIGIN_BLOCK);
    }
    this.#visitor.mapping(cacheBlock, originBlock, dirty);
  }

  #hint(tag: XmlTag): void {
    const cacheBlock = this.#cacheBlock(tag);
    const text = tag.text(DATA);
    const value = decodeHint(text);
    if (value < 0) {
      throw tag.error(`Cannot read <hint>: data is "${shorten(text)}", 4 bytes in base64 are wanted`, DATA);
    }
    this.#visitor.hint(cacheBlock, value);
  }

  /** The cache block of an element of a list. */
  #cacheBlock(tag: XmlTag): number {
    const block = tag.number(CACHE_BLOCK, MAX_U32);
    if (block >= this.#nrCacheBlocks) {
      const found = `found cache block ${block}, nr_cache_blocks is ${this.#nrCacheBlocks}`;
      throw tag.error(`Cannot read <${tag.name}>: ${found}`, CACHE_BLOCK);
    }
    if (block <= this.#last) {
      const found = `found cache block ${block} behind ${this.#last}`;
      throw tag.error(`Cannot read <${tag.name}>: ${found}, increasing order is wanted`, CACHE_BLOCK);
    }
    this.#last = block;
    return block;
  }
}

/** The u32 that four bytes in base64 are, first byte lowest; -1 when it is no such text. */
function decodeHint(text: string): number {
  if (text.length !== HINT_CHARACTERS || !text.endsWith('==')) return -1;
  let digits = 0;
  let bits = 0;
  for (let i = 0; i < 6; i++) {
    const code = text.charCodeAt(i);
    const digit = code < 128 ? BASE64[code]! : NO_DIGIT;
    if (digit === NO_DIGIT) return -1;
    // The first five have 30 bits; of the last two count.
    if (i < 5) digits = digits * 64 + digit;
    else bits = digit;
  }
  const bytes = (digits * 4 + (bits >>> 4)) >>> 0;
  return ((bytes << 24) | ((bytes & 0xff00) << 8) | ((bytes >>> 8) & 0xff00) | (bytes >>> 24)) >>> 0;
}
