import { assert } from '../base/index.ts';
import { type LineTaker, type LineValue, XmlLine } from './line.ts';
import type { XmlTag } from './tag.ts';
import { UNKNOWN, XmlVocabulary } from './vocabulary.ts';

/** What may stand in an element and in its tag. */
export interface XmlElementRule {
  /** Attributes that must be there. */
  readonly required?: readonly string[];
  /** Attributes that may be there. */
  readonly optional?: readonly string[];
  /** Elements that may be directly inside, any number of each, in any order. */
  readonly children?: readonly string[];
}

interface Masks {
  /** Bits of attributes. */
  readonly required: number;
  readonly allowed: number;
  /** Bits of elements. */
  readonly children: number;
}

const NOTHING: Masks = { required: 0, allowed: 0, children: 0 };

/**
 * Which elements and attributes a document has, and which elements may be inside which. Order and values are the business of the
 * handler, which calls {@link check} first in `open`.
 *
 * @example
 * ```ts
 * const GRAMMAR = new XmlGrammar('list', {
 *   list: { children: ['item'] },
 *   item: { required: ['size'], optional: ['colour'] },
 * });
 * const SIZE = GRAMMAR.attribute('size');
 * let sum = 0;
 * const tokenizer = new XmlTokenizer(GRAMMAR.vocabulary, {
 *   open(tag) {
 *     GRAMMAR.check(tag);
 *     if (tag.depth === 1) sum += tag.number(SIZE, 1000);
 *   },
 *   close() {},
 * });
 * ```
 */
export class XmlGrammar {
  readonly vocabulary: XmlVocabulary;
  readonly #root: string;
  readonly #masks: readonly Masks[];

  /** @param rules - By element; at most 32 elements, with at most 31 attributes of different names. */
  constructor(root: string, rules: Readonly<Record<string, XmlElementRule>>) {
    const elements = Object.keys(rules);
    assert(elements.length <= 32, 'a grammar has at most 32 elements');
    assert(elements.includes(root), 'the root has a rule');
    const attributes = new Set(
      Object.values(rules).flatMap(({ required = [], optional = [] }) => [...required, ...optional]),
    );
    this.vocabulary = new XmlVocabulary({ elements, attributes: [...attributes], root });
    this.#root = root;
    this.#masks = Object.values(rules).map(({ required = [], optional = [], children = [] }) => ({
      required: mask(required.map((name) => this.attribute(name))),
      allowed: mask([...required, ...optional].map((name) => this.attribute(name))),
      children: mask(children.map((name) => this.element(name))),
    }));
  }

  /** The number of an element, as in {@link XmlTag.element}. */
  element(name: string): number {
    return this.vocabulary.elements.number(name);
  }

  /** The number of an attribute, as the methods of {@link XmlTag} want it. */
  attribute(name: string): number {
    return this.vocabulary.attributes.number(name);
  }

  /**
   * A line of {@link XmlHandler.lines}: element `name` inside `parent`, with these attributes in this order.
   *
   * @param take - Called for each; answers false where the element is to be read as a tag, so that an error gets its place.
   */
  line(
    name: string,
    parent: string,
    attributes: readonly (readonly [name: string, value: LineValue])[],
    take: LineTaker,
  ): XmlLine {
    const { required, allowed } = this.#masks[this.element(name)]!;
    const present = mask(attributes.map(([attribute]) => this.attribute(attribute)));
    const isAllowed = (present & required) === required && (present & ~allowed) === 0;
    const isPlaced = ((this.#masks[this.element(parent)]!.children >>> this.element(name)) & 1) !== 0;
    assert(isAllowed && isPlaced, `the grammar has <${name}> of this kind in <${parent}>`);
    return new XmlLine(this.element(parent), name, attributes, take);
  }

  /**
   * Checks a start tag against the rules. O(1).
   *
   * @throws {ParseError} when the element or one of its attributes is unknown or misplaced, or an attribute is missing.
   */
  check(tag: XmlTag): void {
    const { element, present } = tag;
    const { required, allowed } = element === UNKNOWN ? NOTHING : this.#masks[element]!;
    if (!this.#isPlaced(tag)) throw this.#misplaced(tag);
    if ((present & required) !== required || (present & ~allowed) !== 0) throw this.#wrongAttributes(tag);
  }

  #isPlaced({ element, parent, depth }: XmlTag): boolean {
    if (element === UNKNOWN) return false;
    if (depth === 0) return true;
    return parent !== UNKNOWN && ((this.#masks[parent]!.children >>> element) & 1) !== 0;
  }

  #misplaced(tag: XmlTag): Error {
    if (tag.name === this.#root) return tag.error(`duplicated ${this.#root}`);
    const { children } = tag.parent === UNKNOWN ? NOTHING : this.#masks[tag.parent]!;
    const { names } = this.vocabulary.elements;
    const wanted = names.filter((_, number) => (children >>> number) & 1).map((name) => `<${name}>`);
    const where = tag.parent === UNKNOWN ? 'document' : `<${names[tag.parent]}>`;
    return tag.error(`Cannot read ${where}: found <${tag.name}>, ${wanted.join(', ') || 'no element'} is wanted`);
  }

  #wrongAttributes(tag: XmlTag): Error {
    const { required, allowed } = this.#masks[tag.element]!;
    const { names } = this.vocabulary.attributes;
    const missing = names.filter((_, number) => (required & ~tag.present & (1 << number)) !== 0);
    if (missing.length > 0) return tag.error(`Cannot read <${tag.name}>: found no attribute ${missing.join(', ')}`);
    const wanted = names.filter((_, number) => (allowed & (1 << number)) !== 0);
    const found = Array.from({ length: tag.nrAttributes }, (_, index) => tag.attributeName(index));
    const unknown = found.find((name) => !wanted.includes(name));
    return tag.error(
      `Cannot read <${tag.name}>: found attribute ${unknown}, ${wanted.join(', ') || 'no attribute'} is wanted`,
    );
  }
}

function mask(numbers: readonly number[]): number {
  return numbers.reduce((bits, number) => bits | (1 << number), 0);
}
