import { assert } from '../base/index.ts';
import { BYTE_CLASS, NAME_PART, NAME_START } from './byte-class.ts';

/** The number of a name that a vocabulary does not have. */
export const UNKNOWN = -1;

/** Attribute names of a vocabulary: one bit each in a mask of 32, and one bit for all others. */
export const MAX_ATTRIBUTE_NAMES = 31;

/** Bytes in the longest name of a vocabulary. */
export const MAX_NAME_BYTES = 64;

/**
 * A short text to compare with, four bytes at a time: a dump is read 1.4 times as fast as with comparisons byte by byte
 * (`npx tsx bench/xml.ts`).
 */
export class Pattern {
  /** Bytes in the text. */
  readonly length: number;
  readonly #words: Int32Array;
  readonly #lastMask: number;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const padded = new Uint8Array((bytes.length + 3) & ~3);
    padded.set(bytes);
    this.#words = new Int32Array(padded.buffer);
    this.#lastMask = bytes.length % 4 === 0 ? -1 : (1 << (8 * (bytes.length % 4))) - 1;
  }

  /** Whether the text stands at byte `at`. `view` has at least three bytes more than the text from there on. */
  matches(view: DataView, at: number): boolean {
    const words = this.#words;
    const last = words.length - 1;
    for (let i = 0; i < last; i++) {
      if (view.getInt32(at + 4 * i, true) !== words[i]) return false;
    }
    return (view.getInt32(at + 4 * last, true) & this.#lastMask) === words[last];
  }
}

/** Names as bytes, numbered from 0 in the order in which they were given. */
export class NameTable {
  readonly names: readonly string[];
  /** What stands around a name in a tag as programs write it, by number. */
  readonly patterns: readonly Pattern[];
  readonly #bytes: Uint8Array[];

  /** @param around - What the patterns have before and behind the name. */
  constructor(names: readonly string[], around: { before: string; behind: string }) {
    assert(new Set(names).size === names.length, 'the names of a vocabulary differ');
    this.names = names;
    this.#bytes = names.map(nameBytes);
    this.patterns = names.map((name) => new Pattern(new TextEncoder().encode(around.before + name + around.behind)));
  }

  /** The number of a name. */
  number(name: string): number {
    const number = this.names.indexOf(name);
    assert(number >= 0, `${name} is in the vocabulary`);
    return number;
  }

  /** The number of the name in `bytes[begin..end)`, or {@link UNKNOWN}. O(names). */
  find(bytes: Uint8Array, begin: number, end: number): number {
    const length = end - begin;
    for (let number = 0; number < this.#bytes.length; number++) {
      const name = this.#bytes[number]!;
      if (name.length === length && startsWith(bytes, begin, name)) return number;
    }
    return UNKNOWN;
  }
}

/** Whether `name` stands at `bytes[begin]`. There are at least {@link MAX_NAME_BYTES} bytes from there on. */
export function startsWith(bytes: Uint8Array, begin: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    if (bytes[begin + i] !== name[i]) return false;
  }
  return true;
}

/**
 * The names that a grammar knows. The tokenizer gives them as numbers, which costs a comparison of bytes and no string.
 * All documents of a grammar have one root element.
 */
export class XmlVocabulary {
  readonly elements: NameTable;
  readonly attributes: NameTable;
  /** Name of the root element. `undefined`: any will do. */
  readonly root: string | undefined;

  /** @param names - ASCII names of at most 64 bytes, at most 31 of them of attributes. */
  constructor(names: { elements: readonly string[]; attributes: readonly string[]; root?: string }) {
    assert(
      names.attributes.length <= MAX_ATTRIBUTE_NAMES,
      `a vocabulary has at most ${MAX_ATTRIBUTE_NAMES} attributes`,
    );
    this.elements = new NameTable(names.elements, { before: '<', behind: ' ' });
    this.attributes = new NameTable(names.attributes, { before: ' ', behind: '="' });
    this.root = names.root;
  }
}

function nameBytes(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  assert(bytes.length > 0 && bytes.length <= MAX_NAME_BYTES, `a name has 1 to ${MAX_NAME_BYTES} bytes`);
  assert((BYTE_CLASS[bytes[0]!]! & NAME_START) !== 0, `${name} begins like an XML name`);
  assert(
    bytes.every((byte) => (BYTE_CLASS[byte]! & NAME_PART) !== 0),
    `${name} is an XML name`,
  );
  return bytes;
}
