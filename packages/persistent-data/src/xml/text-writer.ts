import { assert, highHalf, lowHalf, type U64 } from '../base/index.ts';
import { ZERO } from './byte-class.ts';

/** Takes bytes: to be used or copied before it returns, as they are overwritten afterwards. What it throws goes to the writer's caller. */
export type ByteSink = (bytes: Uint8Array) => void;

/** Bytes of the longest literal. */
const MAX_LITERAL_BYTES = 64;
/** Digits of 2^53. */
const MAX_DIGITS = 16;
const BILLION = 1_000_000_000;

/** `00` to `99`: digits are written in pairs, which halves the divisions. */
const PAIRS: Uint8Array = Uint8Array.from(
  { length: 200 },
  (_, i) => ZERO + (i % 2 === 0 ? Math.trunc(i / 20) : (i >>> 1) % 10),
);

const BASE64 = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 0x3d;

const ENCODER = new TextEncoder();

/** An unsigned 64-bit integer in decimal. @throws {RangeError} when it is none. */
export function formatU64(value: U64): string {
  // Taking it apart checks it.
  highHalf(value);
  lowHalf(value);
  return value.toString();
}

/**
 * A short text to be written millions of times. Kept as words: a dump is written 1.3 times as fast as with bytes one by one
 * (`npx tsx bench/xml.ts`).
 */
export class Literal {
  /** In bytes. */
  readonly length: number;
  /** Little-endian, the last one filled up with zeros. */
  readonly words: Int32Array;

  constructor(text: string) {
    const bytes = ENCODER.encode(text);
    assert(bytes.length <= MAX_LITERAL_BYTES, `a literal has at most ${MAX_LITERAL_BYTES} bytes`);
    const padded = new Uint8Array((bytes.length + 3) & ~3);
    padded.set(bytes);
    this.length = bytes.length;
    this.words = new Int32Array(padded.buffer);
  }
}

/**
 * Builds text in a buffer and hands it to a sink in large pieces. Measured by `npx tsx bench/xml.ts`.
 */
export class TextWriter {
  readonly #sink: ByteSink;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #capacity: number;
  #length = 0;

  /** @param options - `bufferBytes`: size of the buffer, so of the pieces, in bytes; 256 KiB by default, at least 64. */
  constructor(sink: ByteSink, options: { readonly bufferBytes?: number } = {}) {
    const { bufferBytes = 0x4_0000 } = options;
    if (!(Number.isSafeInteger(bufferBytes) && bufferBytes >= 64)) {
      throw new RangeError(`Cannot make a text writer: bufferBytes is ${bufferBytes}, at least 64 is wanted`);
    }
    this.#sink = sink;
    this.#capacity = bufferBytes;
    this.#bytes = new Uint8Array(bufferBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Hands what is in the buffer to the sink. To be called once at the end. */
  flush(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    this.#sink(this.#bytes.subarray(0, length));
  }

  /** Writes a text that was prepared for it. */
  literal(literal: Literal): void {
    if (this.#capacity - this.#length < MAX_LITERAL_BYTES) this.flush();
    const { words } = literal;
    const at = this.#length;
    // There is room for the zeros behind the last byte: no literal is longer than a whole number of words. They are overwritten.
    for (let i = 0; i < words.length; i++) this.#view.setInt32(at + 4 * i, words[i]!, true);
    this.#length = at + literal.length;
  }

  /** Writes a string as UTF-8. */
  text(text: string): void {
    this.#write(ENCODER.encode(text));
  }

  /** Writes an unsigned 64-bit integer in decimal. @throws {RangeError} when it is none. */
  u64(value: U64): void {
    this.text(formatU64(value));
  }

  /** Writes a whole number from 0 to 2^53 - 1 in decimal, unchecked: other values give nonsense. Makes no string. */
  decimal(value: number): void {
    if (this.#capacity - this.#length < MAX_DIGITS) this.flush();
    if (value < BILLION) {
      this.#digits(value | 0, nrDigits(value));
    } else {
      const high = Math.floor(value / BILLION);
      this.#digits(high, nrDigits(high));
      this.#digits(value - high * BILLION, 9);
    }
  }

  /** Writes the four bytes of a u32, lowest first, in base64: eight characters. Makes no string. */
  base64U32(value: number): void {
    if (this.#capacity - this.#length < 8) this.flush();
    const to = this.#bytes;
    const at = this.#length;
    const first = ((value & 0xff) << 16) | (value & 0xff00) | ((value >>> 16) & 0xff);
    const last = value >>> 24;
    to[at] = BASE64[first >>> 18]!;
    to[at + 1] = BASE64[(first >>> 12) & 63]!;
    to[at + 2] = BASE64[(first >>> 6) & 63]!;
    to[at + 3] = BASE64[first & 63]!;
    to[at + 4] = BASE64[last >>> 2]!;
    to[at + 5] = BASE64[(last & 3) << 4]!;
    to[at + 6] = PADDING;
    to[at + 7] = PADDING;
    this.#length = at + 8;
  }

  /** Writes a number below a billion with as many digits as are asked for. There is room. */
  #digits(value: number, nrDigits: number): void {
    const to = this.#bytes;
    let rest = value | 0;
    let at = this.#length + nrDigits;
    this.#length = at;
    for (let left = nrDigits; left > 1; left -= 2) {
      const quotient = (rest / 100) | 0;
      const pair = 2 * (rest - 100 * quotient);
      to[at - 1] = PAIRS[pair + 1]!;
      to[at - 2] = PAIRS[pair]!;
      at -= 2;
      rest = quotient;
    }
    if ((nrDigits & 1) !== 0) to[at - 1] = ZERO + rest;
  }

  #write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      if (this.#length === this.#capacity) this.flush();
      const length = Math.min(bytes.length - from, this.#capacity - this.#length);
      this.#bytes.set(bytes.subarray(from, from + length), this.#length);
      this.#length += length;
      from += length;
    }
  }
}

/** Digits of a number below a billion. */
function nrDigits(value: number): number {
  if (value < 10_000) {
    if (value < 100) return value < 10 ? 1 : 2;
    return value < 1000 ? 3 : 4;
  }
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  if (value < 100_000_000) return value < 10_000_000 ? 7 : 8;
  return 9;
}
