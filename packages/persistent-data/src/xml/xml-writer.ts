import { assert, type U64 } from '../base/index.ts';
import { formatU64, TextWriter } from './text-writer.ts';

/** Attributes by name, written in this order. `undefined`: the attribute is left out. */
export type XmlAttributes = Readonly<Record<string, string | U64 | undefined>>;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** What XML has no way to say: most control characters, two others, and halves of characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NO_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\ud800-\udfff]/u;

/**
 * Writes an XML document as the userland tools do: no declaration, one tag per line, two blanks of indentation per level, no line
 * feed at the end.
 *
 * Elements of which there are millions are written with the methods of {@link TextWriter}, each beginning with the line feed
 * and the blanks before it.
 */
export class XmlWriter extends TextWriter {
  /** The names of the elements that are open, outermost first. */
  readonly #open: string[] = [];
  #isEmpty = true;

  /** Writes a start tag. @throws {RangeError} when XML cannot have a value. */
  open(name: string, attributes: XmlAttributes = {}): void {
    this.text(`${this.#indent()}<${name}${formatAttributes(attributes)}>`);
    this.#open.push(name);
  }

  /** Writes the end tag of the element that was opened last. */
  close(): void {
    const name = this.#open.pop();
    assert(name !== undefined, 'an element is open');
    this.text(`${this.#indent()}</${name}>`);
  }

  /** Writes an empty-element tag. @throws {RangeError} when XML cannot have a value. */
  empty(name: string, attributes: XmlAttributes = {}): void {
    this.text(`${this.#indent()}<${name}${formatAttributes(attributes)}/>`);
  }

  #indent(): string {
    if (!this.#isEmpty) return `\n${'  '.repeat(this.#open.length)}`;
    this.#isEmpty = false;
    return '';
  }
}

function formatAttributes(attributes: XmlAttributes): string {
  return Object.entries(attributes)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${formatValue(name, value)}"`))
    .join('');
}

function formatValue(name: string, value: string | U64): string {
  if (typeof value !== 'string') return formatU64(value);
  const found = NO_CHARACTER.exec(value);
  if (found) {
    const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    throw new RangeError(`Cannot write attribute ${name}: found the character U+${code}, which XML does not allow`);
  }
  return value
    .replace(/[&<>"]/g, (character) => ESCAPES[character]!)
    .replace(/[\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);
}
