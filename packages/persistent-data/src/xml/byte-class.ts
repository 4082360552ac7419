/*
 * What a byte may be in XML text, as bits of `BYTE_CLASS`. Everything that has a meaning in XML is ASCII, so UTF-8 needs no
 * decoding to find tags. Byte 0 is in no class: a zero behind the text ends every scanning loop without a bounds check.
 */

/** May begin a name: A-Z a-z _ : (names are ASCII in the subset of XML that is read here). */
export const NAME_START = 1;
/** May go on a name: the above, 0-9 - . */
export const NAME_PART = 2;
/** Space, tab, line feed, carriage return. */
export const SPACE = 4;
/** Stands for itself in an attribute value between quotes of any kind: ASCII without control characters, quotes, `<` and `&`. */
export const PLAIN = 8;

export const TAB = 0x09;
export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;
export const BLANK = 0x20;
export const BANG = 0x21;
export const QUOTE = 0x22;
export const APOSTROPHE = 0x27;
export const HYPHEN = 0x2d;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const LESS = 0x3c;
export const EQUALS = 0x3d;
export const GREATER = 0x3e;
export const QUESTION = 0x3f;

function classOf(byte: number): number {
  const text = String.fromCharCode(byte);
  let bits = 0;
  if (/[A-Za-z_:]/.test(text)) bits |= NAME_START;
  if (/[A-Za-z_:0-9.-]/.test(text)) bits |= NAME_PART;
  if (/[ \t\r\n]/.test(text)) bits |= SPACE;
  if (byte >= BLANK && byte < 0x80 && !/["'<&]/.test(text)) bits |= PLAIN;
  return bits;
}

/** The classes of each of the 256 bytes. */
export const BYTE_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte));
