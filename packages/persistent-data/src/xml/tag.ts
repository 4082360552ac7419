import { assert, type ParseError, type U64 } from '../base/index.ts';
import { BYTE_CLASS, PLAIN, ZERO } from './byte-class.ts';
import { decodeAscii, decodeValue, shorten } from './decode.ts';
import { MAX_ATTRIBUTE_NAMES, UNKNOWN, type XmlVocabulary } from './vocabulary.ts';
import type { XmlWindow } from './window.ts';

/** Attributes in the largest tag that is read. */
export const MAX_ATTRIBUTES = 64;

/** Digits that fit a 32-bit integer whatever they are. */
export const SMALL_NUMBER_DIGITS = 9;
/** Stands for a value that is no number of so few digits. */
export const NO_SMALL_NUMBER = -1;
/** Digits that fit a `number` exactly, whatever they are. */
const EXACT_DIGITS = 15;

const MAX_U64 = 0xffff_ffff_ffff_ffffn;

/**
 * A start, end or empty-element tag, read in place: valid until the callback that was given it returns.
 * Attributes are asked for by their number in the {@link XmlVocabulary}, or by their index in the tag (0-based, in the order
 * of the text).
 */
export interface XmlTag {
  /** Number of the element's name in the vocabulary, or {@link UNKNOWN}. */
  readonly element: number;
  /** The same of the element around it; {@link UNKNOWN} also where there is none. */
  readonly parent: number;
  /** Number of elements around it: 0 for the root. */
  readonly depth: number;
  /** The attributes that are there: bit n for number n, bit 31 for any that the vocabulary does not have. 0 in an end tag. */
  readonly present: number;
  readonly nrAttributes: number;
  /** The element's name. */
  readonly name: string;
  /** Whether an attribute is there. @param attribute - Number in the vocabulary. */
  has(attribute: number): boolean;
  /** Name of the attribute with this index. */
  attributeName(index: number): string;
  /** Value of the attribute with this index, as {@link text}. */
  attributeValue(index: number): string;
  /**
   * The value of an attribute that is there, as a decimal number. Makes no string.
   *
   * @param attribute - Number in the vocabulary.
   * @param max - The largest value allowed, at most 2^53 - 1.
   * @throws {ParseError} when it is not made of digits only, or larger than `max`.
   */
  number(attribute: number, max: number): number;
  /** The same up to 2^64 - 1. @throws {ParseError} when it is not made of digits only, or larger. */
  u64(attribute: number): U64;
  /** The value of an attribute that is there, references replaced and white space normalized. Makes a string. */
  text(attribute: number): string;
  /** Makes the error for something about this tag, placed at an attribute's value or, without one, at the tag's `<`. */
  error(message: string, attribute?: number): ParseError;
}

/** The one tag object of a tokenizer, which fills it. */
export class ScannedTag implements XmlTag {
  element = UNKNOWN;
  parent = UNKNOWN;
  depth = 0;
  present = 0;
  nrAttributes = 0;
  nameBegin = 0;
  nameEnd = 0;
  /** Where in the window the attribute with this index has its name and value. */
  readonly nameBegins: Int32Array = new Int32Array(MAX_ATTRIBUTES);
  readonly nameEnds: Int32Array = new Int32Array(MAX_ATTRIBUTES);
  readonly valueBegins: Int32Array = new Int32Array(MAX_ATTRIBUTES);
  readonly valueEnds: Int32Array = new Int32Array(MAX_ATTRIBUTES);
  /** The values that are numbers of up to nine digits; {@link NO_SMALL_NUMBER} for the others. */
  readonly smallNumbers: Int32Array = new Int32Array(MAX_ATTRIBUTES);
  /** The index of the attribute with this number; means something where `present` has the bit. */
  readonly slots: Uint8Array = new Uint8Array(MAX_ATTRIBUTE_NAMES + 1);
  readonly #window: XmlWindow;

  constructor(window: XmlWindow) {
    this.#window = window;
  }

  get name(): string {
    return this.#ascii(this.nameBegin, this.nameEnd);
  }

  has(attribute: number): boolean {
    return (this.present & (1 << attribute)) !== 0;
  }

  attributeName(index: number): string {
    assert(index < this.nrAttributes, 'the tag has this attribute');
    return this.#ascii(this.nameBegins[index]!, this.nameEnds[index]!);
  }

  attributeValue(index: number): string {
    assert(index < this.nrAttributes, 'the tag has this attribute');
    const end = this.valueEnds[index]!;
    for (let at = this.valueBegins[index]!; at < end; at++) {
      if ((BYTE_CLASS[this.#window.bytes[at]!]! & PLAIN) === 0) {
        return decodeValue(this.#window, this.valueBegins[index]!, end);
      }
    }
    return this.#ascii(this.valueBegins[index]!, end);
  }

  number(attribute: number, max: number): number {
    const index = this.#indexOf(attribute);
    let value = this.smallNumbers[index]!;
    if (value === NO_SMALL_NUMBER) value = this.#exactNumber(this.valueBegins[index]!, this.valueEnds[index]!);
    if (value >= 0 && value <= max) return value;
    return Number(this.#largeNumber(attribute, BigInt(max)));
  }

  u64(attribute: number): U64 {
    const index = this.#indexOf(attribute);
    const value = this.#exactNumber(this.valueBegins[index]!, this.valueEnds[index]!);
    return value >= 0 ? value : this.#largeNumber(attribute, MAX_U64);
  }

  text(attribute: number): string {
    return this.attributeValue(this.#indexOf(attribute));
  }

  error(message: string, attribute?: number): ParseError {
    const at = attribute === undefined ? this.#window.begin : this.valueBegins[this.#indexOf(attribute)]!;
    return this.#window.error(message, at);
  }

  #indexOf(attribute: number): number {
    assert(this.has(attribute), 'the tag has this attribute');
    return this.slots[attribute]!;
  }

  /** The number made by 1 to 15 digits, or -1. */
  #exactNumber(begin: number, end: number): number {
    if (end === begin || end - begin > EXACT_DIGITS) return -1;
    let value = 0;
    for (let at = begin; at < end; at++) {
      const digit = this.#window.bytes[at]! - ZERO;
      if (digit >>> 0 > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  #largeNumber(attribute: number, max: bigint): U64 {
    const text = this.text(attribute);
    if (!/^[0-9]+$/.test(text)) {
      throw this.error(`${this.#describe(attribute)} is "${shorten(text)}", a decimal number is wanted`, attribute);
    }
    const value = BigInt(text);
    if (value > max)
      throw this.error(`${this.#describe(attribute)} is ${shorten(text)}, at most ${max} is allowed`, attribute);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  #describe(attribute: number): string {
    return `Cannot read <${shorten(this.name)}>: ${shorten(this.attributeName(this.#indexOf(attribute)))}`;
  }

  #ascii(begin: number, end: number): string {
    return decodeAscii(this.#window.bytes, begin, end);
  }
}
