import { assert } from '../base/index.ts';
import { QUOTE, ZERO } from './byte-class.ts';
import { type LineGap, LineRuns, makeLineMemory } from './line-runs.ts';
import { SMALL_NUMBER_DIGITS } from './tag.ts';
import { Pattern } from './vocabulary.ts';
import type { XmlWindow } from './window.ts';

/** What stands for an attribute's value in {@link XmlLine}: a number, four bytes in base64, or one of some texts. */
export type LineValue = 'number' | 'base64' | readonly string[];

/**
 * Gets the values of a line's attributes, in order: numbers of at most nine digits, four bytes as an i32 (the first byte lowest), and indexes of texts.
 * Answers whether it took them.
 */
export type LineTaker = (values: Int32Array) => boolean;

/** No line stands there as it is wanted. */
export const NO_LINE = -1;

/** What follows on the value before: text up to the next value. With a choice there is one text for each. */
interface Part {
  /** Behind a number or bytes: one; behind a choice: one for each text. */
  readonly patterns: readonly Pattern[];
  readonly kind: 'number' | 'base64' | 'choice';
}

/** Characters of four bytes: six digits, of which the last has four bits too many, and two to fill up. */
const BASE64_CHARACTERS = 8;
const EQUALS = 0x3d;
const NO_DIGIT = 64;
const DIGITS = new Uint8Array(256).fill(NO_DIGIT);
for (const [digit, c] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  DIGITS[c.charCodeAt(0)] = digit;
}

/**
 * An empty element of which there are millions, as programs write it: all attributes in one order, with double quotes, one blank before each. It is
 * read as one text with gaps, some five times as fast as a tag (`npm run bench -- tools --family era`), in a long document by WebAssembly, faster
 * still; what stands there in another way, or is not taken, is read as a tag.
 */
export class XmlLine {
  /** Number of the element around it. */
  readonly parent: number;
  readonly #begin: Pattern;
  readonly #parts: readonly Part[];
  readonly #values: Int32Array;
  readonly #take: LineTaker;
  readonly #source: { readonly begin: string; readonly gaps: readonly LineGap[] };
  #runs: LineRuns | undefined;

  constructor(
    parent: number,
    element: string,
    attributes: readonly (readonly [name: string, value: LineValue])[],
    take: LineTaker,
  ) {
    assert(attributes.length > 0, 'a line has values');
    this.parent = parent;
    this.#take = take;
    this.#values = new Int32Array(attributes.length);
    const begin = `<${element} ${attributes[0]![0]}="`;
    const gaps = attributes.map(([, value], i): LineGap => {
      const next = attributes[i + 1];
      const behind = next === undefined ? '"/>' : `" ${next[0]}="`;
      const texts = typeof value === 'string' ? [''] : value;
      const kind = typeof value === 'string' ? value : 'choice';
      return { texts: texts.map((text) => text + behind), kind };
    });
    this.#source = { begin, gaps };
    this.#begin = pattern(begin);
    this.#parts = gaps.map(({ kind, texts }) => ({ kind, patterns: texts.map(pattern) }));
  }

  /** From now on many lines are read at once, from a window whose text is in such memory. */
  readRuns(memory: WebAssembly.Memory): void {
    this.#runs = LineRuns.make(memory, this.#source.begin, this.#source.gaps);
  }

  /** Reads the line whose `<` is at `at`, and maybe those behind it. Answers where the last one ends, or {@link NO_LINE}. Counts lines in `window`. */
  read(window: XmlWindow, at: number): number {
    return this.#runs === undefined ? this.#readOne(window, at) : this.#readMany(window, at, this.#runs);
  }

  #readMany(window: XmlWindow, at: number, runs: LineRuns): number {
    const { found, stride } = runs;
    const values = this.#values;
    const nrWords = runs.read(at) * stride;
    let end = NO_LINE;
    for (let word = 0; word < nrWords; word += stride) {
      for (let i = 1; i < stride; i++) values[i - 1] = found[word + i]!;
      if (!this.#take(values)) {
        if (end !== NO_LINE) window.line += window.countLines(at, end);
        // Lines that are well written and not taken are an error, or a document for which all this is not made.
        this.#runs = undefined;
        return end;
      }
      end = found[word]!;
    }
    if (end !== NO_LINE) window.line += runs.nrLineFeeds;
    return end;
  }

  #readOne({ bytes, view }: XmlWindow, at: number): number {
    if (!this.#begin.matches(view, at)) return NO_LINE;
    // The text ends with a zero, which is in no pattern and no number: nothing matches beyond.
    let next = at + this.#begin.length;
    const parts = this.#parts;
    const values = this.#values;
    for (let i = 0; i < parts.length; i++) {
      const { patterns, kind } = parts[i]!;
      let which = 0;
      if (kind === 'base64') {
        if (!isBase64(bytes, next) || !patterns[0]!.matches(view, next + BASE64_CHARACTERS)) return NO_LINE;
        values[i] = fromBase64(bytes, next);
        next += BASE64_CHARACTERS;
      } else if (kind === 'choice') {
        while (!patterns[which]!.matches(view, next)) if (++which === patterns.length) return NO_LINE;
        values[i] = which;
      } else {
        const begin = next;
        let value = 0;
        let digit = bytes[next]! - ZERO;
        while (digit >>> 0 <= 9) {
          value = (Math.imul(value, 10) + digit) | 0;
          digit = bytes[++next]! - ZERO;
        }
        const isSmall = digit === QUOTE - ZERO && next > begin && next - begin <= SMALL_NUMBER_DIGITS;
        if (!isSmall || !patterns[0]!.matches(view, next)) return NO_LINE;
        values[i] = value;
      }
      next += patterns[which]!.length;
    }
    return this.#take(values) ? next : NO_LINE;
  }
}

/** Memory for a window's text, as {@link XmlLine.readRuns} wants it; `undefined` where there is none to be had. */
export function lineMemory(): WebAssembly.Memory | undefined {
  return makeLineMemory(DIGITS);
}

/** Whether four bytes in base64 stand at `at`. The text ends with a zero, which is no digit. */
function isBase64(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 6; i++) if (DIGITS[bytes[at + i]!] === NO_DIGIT) return false;
  return bytes[at + 6] === EQUALS && bytes[at + 7] === EQUALS;
}

/** The four bytes that stand there, the first one lowest. */
function fromBase64(bytes: Uint8Array, at: number): number {
  const digit = (i: number): number => DIGITS[bytes[at + i]!]!;
  const first = (digit(0) << 2) | (digit(1) >>> 4);
  const second = ((digit(1) & 15) << 4) | (digit(2) >>> 2);
  const third = ((digit(2) & 3) << 6) | digit(3);
  const fourth = (digit(4) << 2) | (digit(5) >>> 4);
  return first | (second << 8) | (third << 16) | (fourth << 24);
}

function pattern(text: string): Pattern {
  return new Pattern(new TextEncoder().encode(text));
}
