import { BLANK, CARRIAGE_RETURN, LINE_FEED, TAB } from './byte-class.ts';
import type { XmlWindow } from './window.ts';

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['apos', "'"],
  ['quot', '"'],
]);

/** Characters that no XML document has, apart from lone surrogates, which UTF-8 cannot have. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NO_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** A part of the text as an error shows it. */
export function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Makes a string of bytes known to be ASCII. */
export function decodeAscii(bytes: Uint8Array, begin: number, end: number): string {
  // A call of the decoder costs as much as some 10 characters one by one.
  if (end - begin > 10) return UTF_8.decode(bytes.subarray(begin, end));
  let text = '';
  for (let at = begin; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** Whether a number is one of a character that XML allows. */
function isCharacter(code: number): boolean {
  if (code < BLANK) return code === TAB || code === LINE_FEED || code === CARRIAGE_RETURN;
  return code < 0xd800 || (code > 0xdfff && code < 0xfffe) || (code > 0xffff && code <= 0x10_ffff);
}

/**
 * Decodes UTF-8 and insists on characters that XML allows.
 *
 * @throws {ParseError} at `begin` when it is not UTF-8, or has a character that XML does not allow.
 */
export function decodeCharacters(window: XmlWindow, begin: number, end: number): string {
  let text: string;
  try {
    text = UTF_8.decode(window.bytes.subarray(begin, end));
  } catch (cause) {
    const error = window.error('Cannot parse XML: the text is not UTF-8', begin);
    error.cause = cause;
    throw error;
  }
  const found = NO_CHARACTER.exec(text);
  if (found) {
    const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    throw window.error(`Cannot parse XML: found the character U+${code}, which XML does not allow`, begin);
  }
  return text;
}

/**
 * The value between the quotes of an attribute: references replaced, each tab and end of line a blank.
 *
 * @throws {ParseError} when it is not UTF-8, or has a reference or character that XML does not allow.
 */
export function decodeValue(window: XmlWindow, begin: number, end: number): string {
  const text = decodeCharacters(window, begin, end).replace(/\r\n|[\t\r\n]/g, ' ');
  return text.replace(/&([^;&]*);?/g, (reference, name: string) => {
    const replacement = reference.endsWith(';') ? resolve(name) : undefined;
    if (replacement !== undefined) return replacement;
    throw window.error(
      `Cannot parse XML: found ${shorten(reference)}, one of &lt; &gt; &amp; &apos; &quot; or a character reference is wanted`,
      begin,
    );
  });
}

function resolve(name: string): string | undefined {
  const digits = /^#(?:x([0-9A-Fa-f]+)|([0-9]+))$/.exec(name);
  if (!digits) return ENTITIES.get(name);
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  return isCharacter(code) ? String.fromCodePoint(code) : undefined;
}
