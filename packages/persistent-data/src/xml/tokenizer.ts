import { assert } from '../base/index.ts';
import { BANG, BYTE_CLASS, GREATER, HYPHEN, LESS, LINE_FEED, QUESTION, SLASH, SPACE } from './byte-class.ts';
import { decodeCharacters, shorten } from './decode.ts';
import { lineMemory, NO_LINE, type XmlLine } from './line.ts';
import { ScannedTag, type XmlTag } from './tag.ts';
import { TagScanner } from './tag-scanner.ts';
import { UNKNOWN, type XmlVocabulary } from './vocabulary.ts';
import { INCOMPLETE, MAX_TAG_BYTES, XmlWindow } from './window.ts';

/** Elements within each other in the deepest document that is read. */
export const MAX_DEPTH = 64;

const GAP = '[ \\t\\r\\n]+';
const EQUALS_SIGN = '[ \\t\\r\\n]*=[ \\t\\r\\n]*';
const quoted = (text: string) => `(?:"${text}"|'${text}')`;
const DECLARATION = new RegExp(
  `^<\\?xml${GAP}version${EQUALS_SIGN}${quoted('1\\.0')}` +
    `(?:${GAP}encoding${EQUALS_SIGN}${quoted('(?:[Uu][Tt][Ff]-8|[Uu][Ss]-[Aa][Ss][Cc][Ii][Ii])')})?` +
    `(?:${GAP}standalone${EQUALS_SIGN}${quoted('(?:yes|no)')})?[ \\t\\r\\n]*\\?>$`,
);

/** Takes the elements of a document, in the order of the text. What it throws goes to the caller of the tokenizer. */
export interface XmlHandler {
  /** A start tag, or an empty-element tag; then `close` follows at once. */
  open(tag: XmlTag): void;
  /** The end of the element that was opened last and not yet closed. */
  close(tag: XmlTag): void;
  /** Elements that are read as lines where they are written as such: for these neither `open` nor `close` is called. */
  readonly lines?: readonly XmlLine[];
}

/**
 * A streaming reader of XML elements and attributes, on bytes, in constant memory.
 *
 * The subset: UTF-8; one root element; attributes; comments; an XML declaration; white space between tags. No document type,
 * entities (but the five predefined ones), processing instructions, CDATA or other text; names are ASCII. Everything that XML
 * forbids is refused. A tag or comment has at most 65536 bytes, a tag 64 attributes, and elements are at most 64 deep.
 *
 * Fast because names are compared with those seen at the same place of the last tags, and nothing makes a string unasked.
 * Measured by `npx tsx bench/xml.ts`.
 */
export class XmlTokenizer {
  readonly #vocabulary: XmlVocabulary;
  readonly #handler: XmlHandler;
  readonly #window = new XmlWindow();
  readonly #tag = new ScannedTag(this.#window);
  readonly #scanner: TagScanner;
  /** The elements that are open, outermost first: numbers in the vocabulary, and names. */
  readonly #elements: number[] = [];
  readonly #names: string[] = [];
  /** The lines that may stand in the element that was opened last. */
  #lines: readonly XmlLine[] = [];
  #state: 'new' | 'reading' | 'ended' | 'failed' = 'new';
  #rootName: string | undefined;
  #isLong = false;
  /** Where in the window the document begins; -1 when that has gone by. */
  #documentBegin = -1;

  constructor(vocabulary: XmlVocabulary, handler: XmlHandler) {
    this.#vocabulary = vocabulary;
    this.#handler = handler;
    this.#scanner = new TagScanner(this.#window, vocabulary, this.#tag);
  }

  /**
   * Takes the next bytes of the text, cut anywhere; they may be overwritten afterwards. Events come later than their bytes by up
   * to 128 KiB. O(bytes).
   *
   * @throws {ParseError} when the text is not XML or not in the subset. The tokenizer cannot be used any more then.
   */
  push(chunk: Uint8Array): void {
    assert(this.#state === 'new' || this.#state === 'reading', 'the tokenizer is neither ended nor failed');
    for (let taken = 0; taken < chunk.length; ) {
      taken += this.#window.fill(chunk, taken);
      if (this.#window.isFull) {
        this.#scan(false);
        this.#window.compact();
        if (!this.#isLong) this.#expectMore();
      }
    }
  }

  /** A document is longer than a window: it is worth while to make something for its lines. */
  #expectMore(): void {
    this.#isLong = true;
    const { lines = [] } = this.#handler;
    const memory = lines.length === 0 ? undefined : lineMemory();
    if (memory === undefined) return;
    this.#window.moveTo(memory.buffer);
    for (const line of lines) line.readRuns(memory);
  }

  /**
   * Ends the text.
   *
   * @throws {ParseError} as {@link push}, and when the text ends too early.
   */
  end(): void {
    assert(this.#state === 'new' || this.#state === 'reading', 'the tokenizer is neither ended nor failed');
    this.#scan(true);
    this.#state = 'failed';
    const { end } = this.#window;
    const open = this.#names.at(-1);
    if (open !== undefined) {
      throw this.#window.error(`Cannot parse XML: the text ends inside <${shorten(open)}>`, end);
    }
    if (this.#rootName === undefined)
      throw this.#window.error(`missing ${this.#vocabulary.root ?? 'root element'}`, end);
    this.#state = 'ended';
  }

  #scan(isLast: boolean): void {
    const window = this.#window;
    const bytes = window.bytes;
    const isFirst = this.#state === 'new';
    this.#state = 'failed';
    if (isFirst) window.skipByteOrderMark();
    this.#documentBegin = isFirst ? window.begin : -1;
    let at = window.begin;
    for (;;) {
      let byte = bytes[at]!;
      while ((BYTE_CLASS[byte]! & SPACE) !== 0) {
        if (byte === LINE_FEED) window.line++;
        byte = bytes[++at]!;
      }
      window.begin = at;
      if (byte !== LESS) {
        if (at === window.end) break;
        throw window.error('Cannot parse XML: found text, a tag is wanted', at);
      }
      const lineEnd = this.#line(at);
      if (lineEnd !== NO_LINE) {
        at = lineEnd;
        continue;
      }
      window.hasLineFeed = false;
      const end = this.#markup(at);
      if (end === INCOMPLETE) {
        if (isLast) throw window.error('Cannot parse XML: the text ends inside a tag or comment', window.end);
        if (window.end - at > MAX_TAG_BYTES) throw window.tooLong(at);
        break;
      }
      if (window.hasLineFeed) window.line += window.countLines(at, end);
      at = end;
    }
    this.#state = 'reading';
  }

  /** Reads what begins at the `<` at `at` as a line, and returns where it ends, or `NO_LINE`. */
  #line(at: number): number {
    const lines = this.#lines;
    for (let i = 0; i < lines.length; i++) {
      const end = lines[i]!.read(this.#window, at);
      if (end !== NO_LINE) return end;
    }
    return NO_LINE;
  }

  /** The element that was opened last is another one. */
  #findLines(): void {
    const parent = this.#elements.at(-1) ?? UNKNOWN;
    const isRoom = this.#elements.length < MAX_DEPTH;
    this.#lines = isRoom ? (this.#handler.lines ?? []).filter((line) => line.parent === parent) : [];
  }

  /** Reads what begins at the `<` at `at`, and returns where it ends, or `INCOMPLETE`. */
  #markup(at: number): number {
    const byte = this.#window.bytes[at + 1]!;
    if (byte === SLASH) return this.#endTag(at);
    if (byte === BANG) return this.#comment(at);
    if (byte === QUESTION) return this.#declaration(at);
    return this.#startTag(at);
  }

  #startTag(at: number): number {
    const end = this.#scanner.scan(at);
    if (end === INCOMPLETE) return INCOMPLETE;
    const isEmpty = this.#window.bytes[end] === SLASH;
    const next = end + (isEmpty ? 2 : 1);
    if (next - at > MAX_TAG_BYTES) throw this.#window.tooLong(at);

    const tag = this.#tag;
    tag.depth = this.#elements.length;
    tag.parent = tag.depth === 0 ? UNKNOWN : this.#elements[tag.depth - 1]!;
    if (tag.depth === 0) this.#checkRoot();
    if (tag.depth === MAX_DEPTH) throw tag.error(`Cannot parse XML: more than ${MAX_DEPTH} elements within each other`);
    this.#handler.open(tag);
    if (isEmpty) {
      this.#close();
    } else {
      this.#elements.push(tag.element);
      this.#names.push(tag.name);
      this.#findLines();
    }
    return next;
  }

  #checkRoot(): void {
    const name = this.#tag.name;
    if (this.#rootName !== undefined) {
      throw this.#tag.error(
        name === this.#rootName
          ? `duplicated ${shorten(name)}`
          : `Cannot parse XML: found <${shorten(name)}> behind the end of <${shorten(this.#rootName)}>`,
      );
    }
    const { root } = this.#vocabulary;
    if (root !== undefined && name !== root) throw this.#tag.error(`missing ${root}`);
    this.#rootName = name;
  }

  #close(): void {
    this.#tag.present = 0;
    this.#tag.nrAttributes = 0;
    this.#handler.close(this.#tag);
  }

  #endTag(at: number): number {
    const tag = this.#tag;
    const nameEnd = this.#window.nameEnd(at + 2);
    if (nameEnd === at + 2) return this.#window.unexpected(nameEnd, 'a name');
    const end = this.#window.skipSpace(nameEnd);
    if (this.#window.bytes[end] !== GREATER) return this.#window.unexpected(end, '>');
    if (end + 1 - at > MAX_TAG_BYTES) throw this.#window.tooLong(at);

    tag.nameBegin = at + 2;
    tag.nameEnd = nameEnd;
    const name = this.#names.pop();
    if (tag.name !== name) {
      const wanted = name === undefined ? 'no end tag' : `</${shorten(name)}>`;
      throw tag.error(`Cannot parse XML: found </${shorten(tag.name)}>, ${wanted} is wanted`);
    }
    tag.element = this.#elements.pop()!;
    this.#findLines();
    tag.depth = this.#elements.length;
    tag.parent = this.#elements.at(-1) ?? UNKNOWN;
    this.#close();
    return end + 1;
  }

  #comment(at: number): number {
    const { bytes, end } = this.#window;
    for (let hyphen = at + 2; hyphen < at + 4; hyphen++) {
      if (bytes[hyphen] !== HYPHEN) return this.#window.unexpected(hyphen, 'a comment, no document type or CDATA,');
    }
    let hyphens = at + 4;
    while (bytes[hyphens] !== HYPHEN || bytes[hyphens + 1] !== HYPHEN) {
      if (hyphens === end) return INCOMPLETE;
      hyphens++;
    }
    if (bytes[hyphens + 2] !== GREATER) return this.#window.unexpected(hyphens + 2, '>');
    if (hyphens + 3 - at > MAX_TAG_BYTES) throw this.#window.tooLong(at);
    decodeCharacters(this.#window, at, hyphens);
    this.#window.hasLineFeed = true;
    return hyphens + 3;
  }

  #declaration(at: number): number {
    const { bytes, end } = this.#window;
    if (at !== this.#documentBegin) {
      throw this.#window.error('Cannot parse XML: found a processing instruction, which is not read', at);
    }
    let next = at + 2;
    while (bytes[next - 1] !== GREATER) {
      if (next === end) return INCOMPLETE;
      next++;
    }
    if (next - at > MAX_TAG_BYTES) throw this.#window.tooLong(at);
    if (!DECLARATION.test(decodeCharacters(this.#window, at, next))) {
      throw this.#window.error(
        'Cannot parse XML: found another declaration than <?xml version="1.0" encoding="UTF-8"?> or parts of it',
        at,
      );
    }
    this.#window.hasLineFeed = true;
    return next;
  }
}
