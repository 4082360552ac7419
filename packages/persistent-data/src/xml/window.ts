import { assert, ParseError } from '../base/index.ts';
import { BYTE_CLASS, LINE_FEED, NAME_PART, NAME_START, SPACE } from './byte-class.ts';
import { MAX_NAME_BYTES } from './vocabulary.ts';

/** Bytes in the longest tag, comment or XML declaration that is read. */
export const MAX_TAG_BYTES = 0x1_0000;

/** What scanning returns when the text of the window ends before the tag does. */
export const INCOMPLETE = -1;

/** Bytes of text held at once: two of the longest tags, so that half of each filling is new. Fits a level 2 cache. */
const WINDOW_BYTES = 2 * MAX_TAG_BYTES;

/**
 * The part of the text that is being read: a buffer of fixed size, filled to the brim before it is scanned, so that the cuts
 * between chunks leave no trace. Knows the line and column of every byte that it holds.
 *
 * - `bytes[end]` is 0, the sentinel of all scanning loops.
 * - `begin` is where the current tag (comment, …) or white space begins; what lies before it has been dealt with.
 * - `line` is the line of `begin`.
 */
export class XmlWindow {
  /** Longer than the text by one name, so that comparing with a name never leaves it. */
  bytes: Uint8Array = new Uint8Array(WINDOW_BYTES + 2 * MAX_NAME_BYTES);
  view: DataView = new DataView(this.bytes.buffer);
  begin = 0;
  end = 0;
  line = 1;
  /** Whether what is scanned may have a line feed inside, so that `line` has to be counted on. */
  hasLineFeed = false;
  /** Characters of the first line here that came before byte 0. */
  #columnBase = 0;

  get isFull(): boolean {
    return this.end === WINDOW_BYTES;
  }

  /** Copies what fits of `chunk[from..)` and returns the number of bytes copied, at least 1 unless the window is full. */
  fill(chunk: Uint8Array, from: number): number {
    const length = Math.min(chunk.length - from, WINDOW_BYTES - this.end);
    this.bytes.set(chunk.subarray(from, from + length), this.end);
    this.end += length;
    this.bytes[this.end] = 0;
    return length;
  }

  /** Goes on at the begin of other memory, which has room for it. */
  moveTo(buffer: ArrayBuffer): void {
    const { bytes } = this;
    assert(buffer.byteLength >= bytes.length, 'there is room for the window');
    this.bytes = new Uint8Array(buffer, 0, bytes.length);
    this.view = new DataView(buffer, 0, bytes.length);
    this.bytes.set(bytes);
  }

  /** Takes the first three bytes away if they are a byte order mark. To be called before anything is read. */
  skipByteOrderMark(): void {
    if (this.bytes[0] !== 0xef || this.bytes[1] !== 0xbb || this.bytes[2] !== 0xbf) return;
    this.begin = 3;
    this.#columnBase = -1;
  }

  /** Forgets what lies before `begin`. */
  compact(): void {
    const begin = this.begin;
    const lineBegin = this.#lineBegin(begin);
    this.#columnBase = this.#columnOf(lineBegin, begin) - 1;
    this.bytes.copyWithin(0, begin, this.end);
    this.begin = 0;
    this.end -= begin;
    this.bytes[this.end] = 0;
  }

  /** Makes the error for what is found at `bytes[at]`, `at >= begin`. O(bytes between the line's begin or `begin` and `at`). */
  error(message: string, at: number): ParseError {
    return new ParseError(
      message,
      this.line + this.countLines(this.begin, at),
      this.#columnOf(this.#lineBegin(at), at),
    );
  }

  /** The number of line feeds in `bytes[begin..end)`. */
  countLines(begin: number, end: number): number {
    let nrLines = 0;
    for (let at = begin; at < end; at++) {
      if (this.bytes[at] === LINE_FEED) nrLines++;
    }
    return nrLines;
  }

  /** Where the white space that begins at `from` ends: `from` when there is none. */
  skipSpace(from: number): number {
    const { bytes } = this;
    let at = from;
    for (;;) {
      const byte = bytes[at]!;
      if ((BYTE_CLASS[byte]! & SPACE) === 0) return at;
      if (byte === LINE_FEED) this.hasLineFeed = true;
      at++;
    }
  }

  /** Where the name that begins at `begin` ends: `begin` when none begins there. */
  nameEnd(begin: number): number {
    const { bytes } = this;
    if ((BYTE_CLASS[bytes[begin]!]! & NAME_START) === 0) return begin;
    let end = begin + 1;
    while ((BYTE_CLASS[bytes[end]!]! & NAME_PART) !== 0) end++;
    return end;
  }

  /** Says that the byte at `at` is not what is wanted there, unless the text of the window just ends there. */
  unexpected(at: number, wanted: string): typeof INCOMPLETE {
    if (at === this.end) return INCOMPLETE;
    const byte = this.bytes[at]!;
    const found =
      byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `the byte 0x${byte.toString(16).padStart(2, '0')}`;
    throw this.error(`Cannot parse XML: found ${found}, ${wanted} is wanted`, at);
  }

  tooLong(at: number): ParseError {
    return this.error(`Cannot parse XML: a tag or comment is longer than ${MAX_TAG_BYTES} bytes`, at);
  }

  #lineBegin(at: number): number {
    let begin = at;
    while (begin > 0 && this.bytes[begin - 1] !== LINE_FEED) begin--;
    return begin;
  }

  /** 1-based, in characters: bytes that continue a character of UTF-8 do not count. */
  #columnOf(lineBegin: number, at: number): number {
    let column = lineBegin === 0 ? this.#columnBase + 1 : 1;
    for (let i = lineBegin; i < at; i++) {
      if ((this.bytes[i]! & 0xc0) !== 0x80) column++;
    }
    return column;
  }
}
