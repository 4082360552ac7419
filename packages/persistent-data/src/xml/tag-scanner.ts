import { APOSTROPHE, BYTE_CLASS, EQUALS, GREATER, LESS, LINE_FEED, PLAIN, QUOTE, SLASH, ZERO } from './byte-class.ts';
import { decodeAscii, decodeValue, shorten } from './decode.ts';
import { MAX_ATTRIBUTES, NO_SMALL_NUMBER, type ScannedTag, SMALL_NUMBER_DIGITS } from './tag.ts';
import { MAX_ATTRIBUTE_NAMES, startsWith, UNKNOWN, type XmlVocabulary } from './vocabulary.ts';
import { INCOMPLETE, type XmlWindow } from './window.ts';

/** Guesses per element: one behind the last attribute that a tag can have, which stays empty. */
const GUESSES = MAX_ATTRIBUTES + 1;

/**
 * Reads start and empty-element tags into a {@link ScannedTag}.
 *
 * Dumps have millions of tags of one shape. So each name is first compared with the one that stood at its place in the last tag,
 * together with the characters around it, and an attribute is read as a number while its end is looked for. Together these
 * made reading 1.7 times as fast (`npx tsx bench/xml.ts`).
 */
export class TagScanner {
  readonly #window: XmlWindow;
  readonly #vocabulary: XmlVocabulary;
  readonly #tag: ScannedTag;
  /** The element of the last tag. */
  #guessedElement = UNKNOWN;
  /** The attribute at each index of the last tag of each element. */
  readonly #guessedAttributes: Int8Array;

  constructor(window: XmlWindow, vocabulary: XmlVocabulary, tag: ScannedTag) {
    this.#window = window;
    this.#vocabulary = vocabulary;
    this.#tag = tag;
    this.#guessedAttributes = new Int8Array((vocabulary.elements.names.length + 1) * GUESSES).fill(UNKNOWN);
  }

  /** Reads the tag whose `<` is at `at`, and returns where its `>` or `/>` is, or `INCOMPLETE`. */
  scan(at: number): number {
    const nameEnd = this.#elementName(at + 1);
    if (nameEnd === at + 1) return this.#window.unexpected(nameEnd, 'a name');
    this.#tag.nameBegin = at + 1;
    this.#tag.nameEnd = nameEnd;
    const end = this.#attributes(nameEnd);
    if (end === INCOMPLETE) return INCOMPLETE;
    const { bytes } = this.#window;
    if (bytes[end] === SLASH && bytes[end + 1] !== GREATER) return this.#window.unexpected(end + 1, '>');
    return end;
  }

  /** Finds out which element's name begins at `begin`, and returns where it ends: `begin` when there is no name. */
  #elementName(begin: number): number {
    const { bytes } = this.#window;
    const { elements } = this.#vocabulary;
    const guess = this.#guessedElement;
    if (guess !== UNKNOWN && elements.patterns[guess]!.matches(this.#window.view, begin - 1)) {
      this.#tag.element = guess;
      return begin + elements.patterns[guess]!.length - 2;
    }
    const end = this.#window.nameEnd(begin);
    const number = elements.find(bytes, begin, end);
    this.#guessedElement = number;
    this.#tag.element = number;
    return end;
  }

  /** Reads the attributes from `from` on, and returns where the `>` or `/` behind them is, or `INCOMPLETE`. */
  #attributes(from: number): number {
    const { bytes, view } = this.#window;
    const { attributes } = this.#vocabulary;
    const tag = this.#tag;
    const guesses = this.#guessedAttributes;
    const guessBase = (tag.element + 1) * GUESSES;
    let present = 0;
    let at = from;
    for (let index = 0; ; index++) {
      let number = guesses[guessBase + index]!;
      let begin = at + 1;
      let end: number;
      let valueBegin: number;
      if (number !== UNKNOWN && attributes.patterns[number]!.matches(view, at)) {
        valueBegin = at + attributes.patterns[number]!.length;
        end = valueBegin - 2;
      } else {
        begin = this.#window.skipSpace(at);
        if (bytes[begin] === GREATER || bytes[begin] === SLASH) {
          tag.nrAttributes = index;
          tag.present = present;
          return begin;
        }
        if (begin === at) return this.#window.unexpected(at, 'white space, > or />');
        end = this.#window.nameEnd(begin);
        if (end === begin) return this.#window.unexpected(begin, 'a name, > or />');
        if (index === MAX_ATTRIBUTES) {
          throw this.#window.error(`Cannot parse XML: more than ${MAX_ATTRIBUTES} attributes`, begin);
        }
        valueBegin = this.#valueBegin(end);
        if (valueBegin === INCOMPLETE) return INCOMPLETE;
        number = attributes.find(bytes, begin, end);
        guesses[guessBase + index] = number;
      }
      const valueEnd = this.#value(valueBegin, index);
      if (valueEnd === INCOMPLETE) return INCOMPLETE;
      tag.nameBegins[index] = begin;
      tag.nameEnds[index] = end;
      tag.valueBegins[index] = valueBegin;
      tag.valueEnds[index] = valueEnd;
      // A shift by UNKNOWN, -1, is one by 31: the bit of all names that are not in the vocabulary.
      const bit = 1 << number;
      if ((present & bit) !== 0) this.#checkDuplicate(index);
      present |= bit;
      tag.slots[number & MAX_ATTRIBUTE_NAMES] = index;
      at = valueEnd + 1;
    }
  }

  /** @throws {ParseError} when an attribute before the one with this index has its name. */
  #checkDuplicate(index: number): void {
    const { bytes } = this.#window;
    const { nameBegins, nameEnds } = this.#tag;
    const name = bytes.subarray(nameBegins[index]!, nameEnds[index]!);
    for (let other = 0; other < index; other++) {
      if (nameEnds[other]! - nameBegins[other]! !== name.length || !startsWith(bytes, nameBegins[other]!, name))
        continue;
      const text = shorten(decodeAscii(name, 0, name.length));
      throw this.#window.error(`Cannot parse XML: attribute ${text} is there twice`, nameBegins[index]!);
    }
  }

  /** Where the value begins whose attribute's name ends at `at`, or `INCOMPLETE`. The byte before is its quote. */
  #valueBegin(at: number): number {
    const { bytes } = this.#window;
    const equals = bytes[at] === EQUALS ? at : this.#window.skipSpace(at);
    if (bytes[equals] !== EQUALS) return this.#window.unexpected(equals, '=');
    const quote = this.#window.skipSpace(equals + 1);
    if (bytes[quote] !== QUOTE && bytes[quote] !== APOSTROPHE) return this.#window.unexpected(quote, 'a quote');
    return quote + 1;
  }

  /** Reads the value that begins at `begin`: notes it if it is a small number, and returns where its last quote is. */
  #value(begin: number, index: number): number {
    const { bytes } = this.#window;
    const { smallNumbers } = this.#tag;
    let at = begin;
    let value = 0;
    let digit = bytes[at]! - ZERO;
    while (digit >>> 0 <= 9) {
      // 32-bit arithmetic, faster than on doubles; where it overflows the value is not used.
      value = (Math.imul(value, 10) + digit) | 0;
      digit = bytes[++at]! - ZERO;
    }
    const length = at - begin;
    if (digit === QUOTE - ZERO && bytes[begin - 1] === QUOTE && length > 0 && length <= SMALL_NUMBER_DIGITS) {
      smallNumbers[index] = value;
      return at;
    }
    smallNumbers[index] = NO_SMALL_NUMBER;
    return this.#valueEnd(begin);
  }

  /** Where the quote is that ends the value that begins at `begin`, or `INCOMPLETE`. */
  #valueEnd(begin: number): number {
    const { bytes, end } = this.#window;
    const quote = bytes[begin - 1]!;
    let isPlain = true;
    for (let at = begin; ; at++) {
      let byte = bytes[at]!;
      while ((BYTE_CLASS[byte]! & PLAIN) !== 0) byte = bytes[++at]!;
      if (byte === quote) {
        if (!isPlain) decodeValue(this.#window, begin, at);
        return at;
      }
      if (byte === LESS || at === end) return this.#window.unexpected(at, 'a quote');
      if (byte === LINE_FEED) this.#window.hasLineFeed = true;
      isPlain = false;
    }
  }
}
