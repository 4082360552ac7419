import { assert } from '../base/index.ts';
import { QUOTE, ZERO } from './byte-class.ts';
import { SMALL_NUMBER_DIGITS } from './tag.ts';
import { Pattern } from './vocabulary.ts';
import type { XmlWindow } from './window.ts';

/** What stands for an attribute's value in {@link XmlLine}: a number, or one of some texts. */
export type LineValue = 'number' | readonly string[];

/** Gets the values of a line's attributes, in order: numbers of at most nine digits, and indexes of texts. Answers whether it took them. */
export type LineTaker = (values: Int32Array) => boolean;

/** No line stands there as it is wanted. */
export const NO_LINE = -1;

/** What follows on the value before: text up to the next value. With a choice there is one text for each. */
interface Part {
  /** Behind a number: one; behind a choice: one for each text. */
  readonly patterns: readonly Pattern[];
  readonly isChoice: boolean;
}

/**
 * An empty element of which there are millions, as programs write it: all attributes in one order, with double quotes, one blank before each. It is
 * read as one text with gaps, some five times as fast as a tag (`npm run bench -- tools --family era`); what stands there in another way, or is not
 * taken, is read as a tag.
 */
export class XmlLine {
  /** Number of the element around it. */
  readonly parent: number;
  readonly #begin: Pattern;
  readonly #parts: readonly Part[];
  readonly #values: Int32Array;
  readonly #take: LineTaker;

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
    this.#begin = pattern(`<${element} ${attributes[0]![0]}="`);
    this.#parts = attributes.map(([, value], i) => {
      const next = attributes[i + 1];
      const behind = next === undefined ? '"/>' : `" ${next[0]}="`;
      const texts = value === 'number' ? [''] : value;
      return { patterns: texts.map((text) => pattern(text + behind)), isChoice: value !== 'number' };
    });
  }

  /** Reads the line whose `<` is at `at`. Answers where it ends, or {@link NO_LINE}. */
  read({ bytes, view }: XmlWindow, at: number): number {
    if (!this.#begin.matches(view, at)) return NO_LINE;
    // The text ends with a zero, which is in no pattern and no number: nothing matches beyond.
    let next = at + this.#begin.length;
    const parts = this.#parts;
    const values = this.#values;
    for (let i = 0; i < parts.length; i++) {
      const { patterns, isChoice } = parts[i]!;
      let which = 0;
      if (isChoice) {
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

function pattern(text: string): Pattern {
  return new Pattern(new TextEncoder().encode(text));
}
