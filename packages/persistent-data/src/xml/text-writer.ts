import { highHalf, lowHalf, type U64 } from '../base/index.ts';
import { type Literal, MAX_DECIMAL_BYTES, MAX_LITERAL_BYTES, putDecimal, putLiteral } from './put-text.ts';

/** Takes bytes: to be used or copied before it returns, as they are overwritten afterwards. What it throws goes to the writer's caller. */
export type ByteSink = (bytes: Uint8Array) => void;

/** Bytes of three literals and two numbers. */
const ROOM_FOR_TWO = 3 * MAX_LITERAL_BYTES + 2 * MAX_DECIMAL_BYTES;

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
    this.#length = putLiteral(this.#view, this.#length, literal);
  }

  /** Writes a literal, a number, a literal, a number and a literal: faster than one by one. @see decimal */
  two(before: Literal, first: number, between: Literal, second: number, after: Literal): void {
    if (this.#capacity - this.#length < ROOM_FOR_TWO) {
      this.flush();
      if (this.#capacity < ROOM_FOR_TWO) {
        this.#oneByOne(before, first, between, second, after);
        return;
      }
    }
    const view = this.#view;
    let at = putDecimal(view, putLiteral(view, this.#length, before), first);
    at = putDecimal(view, putLiteral(view, at, between), second);
    this.#length = putLiteral(view, at, after);
  }

  #oneByOne(before: Literal, first: number, between: Literal, second: number, after: Literal): void {
    this.literal(before);
    this.decimal(first);
    this.literal(between);
    this.decimal(second);
    this.literal(after);
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
    if (this.#capacity - this.#length < MAX_DECIMAL_BYTES) this.flush();
    this.#length = putDecimal(this.#view, this.#length, value);
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
